"""Tables that survive a kill at any byte, and are continued only with the settings they were begun with."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.pipeline.tables import COLUMNS, N_BAD, NAMES, ROWS, SPECS, needs_parquet, read

from fiqa.errors import DataError, MissingExtra, UnknownName, UsageError
from fiqa.pipeline import Output
from fiqa.pipeline.output import FORMATS
from fiqa.pipeline.rows import columns, row
from fiqa.pipeline.sinks import unescaped
from fiqa.types import Quality

FACTS = {"decides": {"model": "net", "methods": {"attn": "attn:block=3"}}, "context": {"python": "3"}}


def write(path: Path, rows: Any, **settings: Any) -> Output:
    with Output(path, COLUMNS, FACTS, **settings) as output:
        for values in rows:
            if values["path"] not in output.done:
                output.write(values)
    return output


def paths_of(path: Path) -> list[str]:
    plain = unescaped if path.suffix == ".csv" else str
    return [plain(values["path"]) for values in read(path)]


def failed(path: str) -> dict[str, Any]:
    return row(Quality(status="failed", reason="there was not enough memory", path=path), COLUMNS)


@pytest.mark.parametrize("suffix", FORMATS)
def test_what_is_written_is_read_again(suffix, tmp_path):
    needs_parquet(suffix)
    output = write(tmp_path / f"table{suffix}", ROWS)
    assert output.n_failed == N_BAD
    expected = list(NAMES)
    if suffix == ".parquet":  # its text is UTF-8
        expected[4] = "caf\\xe9.jpg"
    assert paths_of(output.path) == expected
    assert [values["attn"] for values in read(output.path)] == [values["attn"] for values in ROWS]
    assert sorted(os.listdir(tmp_path)) == [output.path.name, f"{output.path.name}.run.json"]
    assert json.loads(Path(f"{output.path}.run.json").read_text()) == FACTS


def test_each_row_is_handed_over_at_once(tmp_path):
    with Output(tmp_path / "table.csv", COLUMNS, FACTS) as output:
        for number, values in enumerate(ROWS, start=1):
            output.write(values)
            assert len(read(output.path)) == number


# ---------------------------------------------------------------- resuming


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
@pytest.mark.parametrize("several_rows", [False, True])
@settings(deadline=None, max_examples=60)
@given(share=st.floats(0, 1))
def test_a_file_cut_at_any_byte_is_completed_to_the_same_bytes(suffix, several_rows, share, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cut")
    rows = ROWS
    if several_rows:  # three faces of each photo
        rows = [{**values, "face": face} for values in ROWS for face in range(3)]
    whole, cut = folder / f"whole{suffix}", folder / f"cut{suffix}"
    with Output(whole, COLUMNS, FACTS, several_rows=several_rows) as output:
        for values in rows:
            output.write(values)
    data = whole.read_bytes()
    cut.write_bytes(data[: round(share * len(data))])
    with Output(cut, COLUMNS, FACTS, resume=True, several_rows=several_rows) as output:
        before = len(output.done)
        for values in rows:
            if values["path"] not in output.done:
                output.write(values)
    assert cut.read_bytes() == data
    assert output.n_failed == sum(values["status"] != "ok" for values in rows)
    assert share < 1 or before == len(NAMES) - several_rows  # nothing that is complete is done twice


@pytest.mark.parametrize("done", [0, 1, 5, len(ROWS)])
def test_an_interrupted_parquet_is_completed(done, tmp_path):
    needs_parquet(".parquet")
    path = tmp_path / "table.parquet"
    with pytest.raises(KeyboardInterrupt), Output(path, COLUMNS, FACTS) as output:  # noqa: PT012
        for values in ROWS[:done]:
            output.write(values)
        raise KeyboardInterrupt
    assert not path.exists()
    journal = Path(f"{path}.part.jsonl")
    journal.write_bytes(journal.read_bytes() + b'{"path": "half')
    assert len(write(path, ROWS, resume=True).done) == done
    assert read(path) == read(write(tmp_path / "whole.parquet", ROWS).path)
    assert not journal.exists()


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_finished_table_takes_more_rows_and_repeats_none(suffix, tmp_path):
    needs_parquet(suffix)
    path = tmp_path / f"table{suffix}"
    write(path, ROWS[:6])
    assert write(path, ROWS, resume=True).done == {values["path"] for values in ROWS[:6]}
    assert write(path, ROWS, resume=True).done == {values["path"] for values in ROWS}
    write(whole := tmp_path / f"whole{suffix}", ROWS)
    assert read(path) == read(whole)


@pytest.mark.parametrize("suffix", FORMATS)
def test_resuming_nothing_begins(suffix, tmp_path):
    needs_parquet(suffix)
    path = tmp_path / f"table{suffix}"
    assert write(path, ROWS, resume=True).done == set()
    assert len(read(path)) == len(ROWS)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("several_rows", [False, True])
def test_what_failed_is_tried_again_and_nothing_is_doubled(suffix, several_rows, tmp_path):
    needs_parquet(suffix)
    path = tmp_path / f"table{suffix}"
    rows = list(ROWS)
    rows[5], rows[8] = failed(NAMES[5]), failed(NAMES[8])
    write(path, rows, several_rows=several_rows)
    output = write(path, ROWS, resume=True, several_rows=several_rows)
    again = {NAMES[5], NAMES[8]} | ({NAMES[-1]} if several_rows else set())
    assert output.done == set(NAMES) - again
    assert any("2 images were not scored and are tried again" in remark for remark in output.remarks)
    found = read(path)
    assert [values["status"] for values in found].count("failed") == 0
    assert sorted(values["attn"] or 0 for values in found) == sorted(values["attn"] or 0 for values in ROWS)
    assert len(found) == len(ROWS)
    assert output.n_failed == N_BAD


def test_of_a_photo_with_one_failed_face_every_face_is_done_again(tmp_path):
    path = tmp_path / "table.jsonl"
    rows = [ROWS[0], ROWS[0] | {"face": 1}, failed(NAMES[0]) | {"face": 2}, ROWS[1], ROWS[2]]
    write(path, rows, several_rows=True)
    with Output(path, COLUMNS, FACTS, resume=True, several_rows=True) as output:
        assert output.done == {NAMES[1]}
        assert len(read(path)) == 1


@pytest.mark.parametrize(
    ("suffix", "line"),
    [
        (".csv", "plain.jpg,0,ok\n"),
        (".csv", ",".join(["plain.jpg", "0", "ok", *[""] * 20]) + "\n"),
        (".csv", ",".join(["plain.jpg", "0", "great", *[""] * 11]) + "\n"),
        (".csv", "\n"),
        (".jsonl", '{"path": "plain.jpg", "status": "ok"}\n'),
        (".jsonl", json.dumps(ROWS[0] | {"status": "great"}) + "\n"),
        (".jsonl", json.dumps(ROWS[0] | {"path": 7}) + "\n"),
    ],
)
def test_a_row_that_is_not_whole_is_not_done(suffix, line, tmp_path):
    path = tmp_path / f"table{suffix}"
    write(path, ROWS[1:3])
    with open(path, "a", newline="") as file:
        file.write(line)
    output = write(path, ROWS[:4], resume=True)
    assert output.done == set(NAMES[1:3])
    assert any("1 rows of the table are no whole rows" in remark for remark in output.remarks)
    assert sorted(paths_of(path)) == sorted(NAMES[:4])


@pytest.mark.parametrize("suffix", FORMATS)
def test_without_resume_the_old_table_is_kept_and_that_is_said(suffix, tmp_path):
    needs_parquet(suffix)
    path = tmp_path / f"table{suffix}"
    assert write(path, ROWS[:2]).remarks == []
    old = path.read_bytes()
    output = write(path, ROWS[2:])
    assert output.remarks == [f"'{path}' was there already and is kept as '{path}.bak'"]
    assert Path(f"{path}.bak").read_bytes() == old
    assert paths_of(path)[0] == NAMES[2]
    newer = path.read_bytes()
    write(path, ROWS[:1])
    assert Path(f"{path}.bak").read_bytes() == old
    assert Path(f"{path}.bak2").read_bytes() == newer


# ---------------------------------------------------------------- tables that don't fit


@pytest.mark.parametrize("suffix", FORMATS)
def test_other_columns_or_settings_are_refused_and_nothing_is_lost(suffix, tmp_path):
    needs_parquet(suffix)
    path = tmp_path / f"table{suffix}"
    write(path, ROWS)
    before = path.read_bytes()
    other = {"decides": {**FACTS["decides"], "model": "another"}}
    with pytest.raises(UsageError, match="written with model 'net', not 'another'"):
        Output(path, COLUMNS, other, resume=True)
    with pytest.raises(UsageError, match=r"has columns .*resume with the same methods"):
        Output(path, columns(SPECS[:1]), FACTS, resume=True)
    with pytest.raises(UsageError, match=r"has columns .*resume with the same methods and options"):
        Output(path, columns(SPECS, crops=True), FACTS, resume=True)
    assert path.read_bytes() == before
    assert json.loads(Path(f"{path}.run.json").read_text()) == FACTS
    with Output(path, COLUMNS, {**FACTS, "context": {"python": "4"}}, resume=True) as output:  # no matter
        assert len(output.done) == len(NAMES)


@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        (".csv", 'path,face,status,score,attn,"vitnt:blocks=0,4,alpha=8"\na.jpg,0,ok,50,1,2\n'),
        (".jsonl", json.dumps({"path": "a", "face": 0, "status": "ok", "score": 50, "attn": 1}) + "\n"),
    ],
)
def test_a_table_of_the_first_version_is_named(suffix, content, tmp_path):
    path = tmp_path / f"table{suffix}"
    path.write_text(content)
    with pytest.raises(UsageError, match="written by an older version of fiqa"):
        Output(path, COLUMNS, FACTS, resume=True)
    assert path.read_text() == content


@pytest.mark.parametrize("content", ["{", "[]", "[" * 100_000])
def test_damaged_facts_are_a_data_error(content, tmp_path):
    write(tmp_path / "table.csv", ROWS)
    (tmp_path / "table.csv.run.json").write_text(content)
    with pytest.raises(DataError, match=r"run\.json' is damaged"):
        Output(tmp_path / "table.csv", COLUMNS, FACTS, resume=True)


def test_facts_are_never_half_written(tmp_path, monkeypatch):
    write(path := tmp_path / "table.csv", ROWS[:1])

    def full_disk(self: Path, text: str, **_: Any) -> None:
        self.write_bytes(text[: len(text) // 2].encode())
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full_disk)
    with pytest.raises(OSError, match="No space left"):
        Output(path, COLUMNS, FACTS | {"context": {}}, resume=True)
    assert json.loads(Path(f"{path}.run.json").read_bytes()) == FACTS


# ---------------------------------------------------------------- places that can't be written


def test_outputs_that_can_t_be(tmp_path, monkeypatch):
    with pytest.raises(UnknownName, match=r"\.csv, \.jsonl, \.parquet"):
        Output(tmp_path / "table.txt", COLUMNS, FACTS)
    with pytest.raises(UsageError, match="a folder that does not exist"):
        Output(tmp_path / "no" / "table.csv", COLUMNS, FACTS)
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        Output(tmp_path / "folder.csv", COLUMNS, FACTS)
    os.symlink("loop.csv", tmp_path / "loop.csv")
    with pytest.raises(UsageError, match="can't be used: Too many levels of symbolic links"):
        Output(tmp_path / "loop.csv", COLUMNS, FACTS)
    with pytest.raises(UsageError, match="can't be used: File name too long"):
        Output(tmp_path / f"{'x' * 300}.csv", COLUMNS, FACTS)
    os.mkfifo(tmp_path / "pipe.csv")
    os.symlink("/dev/null", tmp_path / "device.csv")
    for name in ("pipe.csv", "device.csv"):
        for resume in (False, True):
            with pytest.raises(UsageError, match="is a pipe or a device"):
                Output(tmp_path / name, COLUMNS, FACTS, resume=resume)
    before = set(os.listdir(tmp_path))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match=r"fiqa\[parquet\]"):
        Output(tmp_path / "table.parquet", COLUMNS, FACTS)
    assert set(os.listdir(tmp_path)) == before == {"folder.csv", "loop.csv", "pipe.csv", "device.csv"}


def test_a_suffix_in_capitals(tmp_path):
    write(tmp_path / "TABLE.CSV", ROWS)
    assert (tmp_path / "TABLE.CSV").read_bytes().startswith(b"path,face")
    assert write(tmp_path / "TABLE.CSV", ROWS, resume=True).done == set(NAMES)
