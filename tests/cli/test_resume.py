"""Runs that are cut short by a kill, a signal or a full disk, and go on to the very same table."""

from __future__ import annotations

import csv
import io
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from tests.cli.runs import FAST, N_MANY, ONE, fiqa, message, posix, start, table

N_FIRST = N_MANY // 6  # rows before a run is killed


def arguments_of(run: str, many: Path, output: Path) -> list[Any]:
    arguments = ["score", many, *FAST, "-o", output]
    if run == "all faces":  # landmarks from a table, or detection would take most of the time
        place = "40,52,74,52,56,72,42,92,71,92"
        faces = [place, ",".join(str(float(v) + 3) for v in place.split(","))]
        lines = [f'"{p}",{face}' for p in sorted(many.glob("0*.png")) for face in faces]
        (output.parent / "landmarks.csv").write_text("\n".join(lines))
        arguments += ["--all-faces", "--align", "detect", "--landmarks", output.parent / "landmarks.csv"]
    return arguments


def rows_of(output: Path) -> int:
    journal = output if output.suffix != ".parquet" else Path(f"{output}.part.jsonl")
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


def wait_for_rows(process: subprocess.Popen[bytes], output: Path, n: int) -> None:
    deadline = time.monotonic() + 280
    while rows_of(output) < n:
        assert process.poll() is None, process.stderr.read().decode()
        assert time.monotonic() < deadline, f"{rows_of(output)} rows"
        time.sleep(0.002)


@pytest.mark.slow
@posix
@pytest.mark.parametrize(
    ("suffix", "run"),
    [(".csv", "one face"), (".jsonl", "one face"), (".parquet", "one face"), (".csv", "all faces")],
)
def test_a_killed_run_is_resumed_to_the_very_same_output(suffix, run, many, tmp_path):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow", reason="Parquet needs the extra parquet")
    whole, killed = (tmp_path / f"{name}{suffix}" for name in ("whole", "killed"))
    fiqa(*arguments_of(run, many, whole), expect=3)
    process = start(*arguments_of(run, many, killed))
    wait_for_rows(process, killed, N_FIRST + 1)
    process.kill()
    process.wait()
    process.stderr.close()
    journal = killed if suffix != ".parquet" else Path(f"{killed}.part.jsonl")
    assert rows_of(killed) < N_MANY, "the run ended before it was killed; take more images"
    with open(journal, "ab") as file:  # as if it had been killed while it wrote
        file.write(b'"half a pa' if suffix == ".csv" else b'{"path": "half')
    done = fiqa(*arguments_of(run, many, killed), "--resume", expect=3)
    resumed = int(done.stderr.decode().partition("resuming: ")[2].split()[0])
    assert resumed >= N_FIRST // (2 if run == "all faces" else 1) - 1
    if suffix == ".parquet":
        import pyarrow.parquet as parquet

        assert parquet.read_table(killed).equals(parquet.read_table(whole))
    else:
        assert killed.read_bytes() == whole.read_bytes()
    if run == "all faces":
        rows = list(csv.DictReader(io.StringIO(whole.read_text(), newline="")))
        assert len(rows) == N_MANY + 1 + N_MANY * 19 // 20  # the bad files and the strange name once
        assert [row["face"] for row in rows if row["status"] == "ok"][:4] == ["0", "1", "0", "1"]


@posix
def test_ctrl_c_keeps_the_rows(many, tmp_path):
    output = tmp_path / "table.csv"
    process = start(
        *arguments_of("one face", many, output),
        # a shell that runs the tests in the background has them ignore SIGINT, and their children too
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    wait_for_rows(process, output, 21)
    process.send_signal(signal.SIGINT)
    assert process.wait(280) == 130
    errors = process.stderr.read().decode()
    assert "stopped; finished rows are kept, go on with --resume" in errors
    assert "Traceback" not in errors
    rows = table(output.read_bytes())
    assert 20 <= len(rows) <= N_MANY
    assert all(values["status"] for values in rows.values())


@pytest.mark.slow
@posix
def test_a_disk_that_fills_up_half_way_keeps_the_rows(many, tmp_path):
    import resource

    output = tmp_path / "table.csv"
    limit = 4096
    arguments = arguments_of("one face", many, output)
    done = fiqa(
        *arguments, expect=1, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    )
    assert "can't write" in message(done)
    assert output.stat().st_size <= limit
    fiqa(*arguments, "--resume", expect=3)
    fiqa(*arguments_of("one face", many, tmp_path / "whole.csv"), expect=3)
    assert output.read_bytes() == (tmp_path / "whole.csv").read_bytes()


@pytest.mark.slow
def test_a_finished_output_is_resumed_without_scoring_kept_as_bak_and_bound_to_its_settings(many, tmp_path):
    output = tmp_path / "table.jsonl"
    paths = [many / f"{number:05d}.png" for number in range(3)]
    fiqa("score", *paths, *FAST, "-o", output)
    first = output.read_bytes()
    assert b"resuming: 3 of 3" in fiqa("score", *paths, *FAST, "-o", output, "--resume").stderr
    assert output.read_bytes() == first
    for other, what in ((["--align", "none"], "align"), (["--all-faces"], "all_faces")):
        done = fiqa("score", *paths, *FAST, *other, "-o", output, "--resume", expect=2)
        assert f"was written with {what}" in message(done)
    done = fiqa("score", *paths, *ONE, "-m", "attn", "-o", output, "--resume", expect=2)
    assert "same" in message(done)
    assert output.read_bytes() == first
    fiqa("score", paths[0], *FAST, "-o", output)
    assert output.read_bytes().count(b"\n") == 1
    assert Path(f"{output}.bak").read_bytes() == first


def test_another_calibration_or_other_landmarks_don_t_continue_a_table(many, tmp_path):
    from fiqa import Scorer
    from fiqa.calibration import Calibration, Profile

    used = Scorer(methods=["attn:block=0"], engine="onnxruntime", threads=1).used["attn:block=0"]
    for name, top in (("one", 50), ("two", 60)):
        calibration = Calibration(spec=used, raw=(-100.0, 100.0), score=(0, top), meaning="for this test")
        Profile("any", {used: calibration}).save(tmp_path / f"{name}.json")
        (tmp_path / f"{name}.csv").write_text(f"x.png,40,52,74,52,56,72,42,92,71,{top}\n")
    run = ["score", many / "00000.png", *FAST, "-o", tmp_path / "table.csv"]
    fiqa(*run, "--profile", tmp_path / "one.json", "--landmarks", tmp_path / "one.csv")
    done = fiqa(
        *run, "--resume", "--profile", tmp_path / "two.json", "--landmarks", tmp_path / "one.csv", expect=2
    )
    assert "written with calibration" in message(done)
    done = fiqa(
        *run, "--resume", "--profile", tmp_path / "one.json", "--landmarks", tmp_path / "two.csv", expect=2
    )
    assert "written with landmarks" in message(done)
