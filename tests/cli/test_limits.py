"""What one image may cost, on the command line: each limit gives a row with its status and sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.runs import FAST, fiqa, message, table

from fiqa.examples import example_paths
from images.files import good_files, many_scans

WHOLE = (*FAST, "--align", "none")


def test_a_file_that_hangs_gives_a_row_and_the_others_are_scored(tmp_path: Path) -> None:
    (tmp_path / "hangs.jpg").write_bytes(many_scans(4000, 5000))
    (tmp_path / "warns.tiff").write_bytes(good_files()["tiff_lzw.tiff"])
    done = fiqa("score", tmp_path, *WHOLE, "--timeout", "1", expect=3)
    rows = table(done.stdout)
    assert rows[str(tmp_path / "hangs.jpg")]["status"] == "failed"
    assert rows[str(tmp_path / "warns.tiff")]["status"] == "ok"
    assert "took more than 1 seconds" in message(done)


def test_a_larger_file_can_be_allowed(tmp_path: Path) -> None:
    large = tmp_path / "large.jpg"
    large.write_bytes(good_files()["plain.jpeg"] + bytes(2_000_000))
    done = fiqa("score", large, *WHOLE, "--max-file-size", "1", expect=3)
    assert table(done.stdout)[str(large)]["status"] == "too_large"
    assert "at most 1,000,000 are read" in message(done)
    fiqa("score", large, *WHOLE, "--max-file-size", "3")


def test_a_truncated_jpeg_is_scored_where_wanted(tmp_path: Path) -> None:
    whole = example_paths()[0].read_bytes()
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(whole[: len(whole) * 9 // 10])
    assert table(fiqa("score", cut, *WHOLE, expect=3).stdout)[str(cut)]["status"] == "unreadable"
    row = table(fiqa("score", cut, *WHOLE, "--tolerant").stdout)[str(cut)]
    assert row["status"] == "ok"
    assert "of the picture is missing" in row["reason"]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_run_that_goes_on_reads_truncated_jpegs_where_that_is_new(suffix: str, tmp_path: Path) -> None:
    whole = example_paths()[0].read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) * 9 // 10])
    (tmp_path / "whole.jpg").write_bytes(whole)
    to = (tmp_path / "cut.jpg", tmp_path / "whole.jpg", *WHOLE, "-o", tmp_path / f"scores{suffix}")
    fiqa("score", *to, expect=3)
    done = fiqa("score", *to, "--resume", "--tolerant")
    assert b"1 of 2 images are done" in done.stderr
    assert b"1 images were not scored and are tried again" in done.stderr
    refused = fiqa("score", *to, "--resume", expect=2)  # what was read in part would not be read now
    assert "was written with tolerant True, not False" in message(refused)


def test_no_time_at_all_is_wrong_use(tmp_path: Path) -> None:
    done = fiqa("score", example_paths()[0], *FAST, "--timeout", "0", expect=2)
    assert "timeout must be a positive number of seconds" in message(done)
