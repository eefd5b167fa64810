"""Signals at random moments of start-up and run: one line, the right exit code, and no row lost or doubled.

``FIQA_TEST_SIGNALS=60`` and ``FIQA_TEST_KILLS=60`` are the full checks.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.cli.runs import FAST, environment, fiqa, posix

N_SIGNALS = int(os.environ.get("FIQA_TEST_SIGNALS", "6"))  # of each kind
N_KILLS = int(os.environ.get("FIQA_TEST_KILLS", "6"))  # over the three formats
ANY_ENGINE = ("--threads", "1", *FAST[len(FAST) - 4 :])  # of those installed: OpenVINO takes long to import

# What pip writes for the script ``fiqa``.
SCRIPT = "import sys\nfrom fiqa.__main__ import main\nif __name__ == '__main__':\n    sys.exit(main())\n"
# Python runs this as the last step of its own start; what comes before is not ours to handle.
READY = "import os\nready = os.environ.pop('READY', '')\nif ready:\n    os.write(int(ready), b'.')\n"


class Runs:
    """Runs of one command, each stopped at a random moment and gone on with by the next."""

    def __init__(self, folder: Path, arguments: list[Any], output: Path, seed: str) -> None:
        (folder / "sitecustomize.py").write_text(READY)
        (folder / "fiqa-script").write_text(SCRIPT)
        self._folder, self.arguments, self.output = folder, arguments, output
        self._random = random.Random(seed)
        start = time.monotonic()
        process = self.started()
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 3, errors  # there are files that are no image among them
        self.seconds = time.monotonic() - start
        self.whole = content(output)
        self.begin_anew()

    def started(self) -> subprocess.Popen[str]:
        """A run that has just been given control by Python."""
        reading, writing = os.pipe()
        paths = os.pathsep.join([str(self._folder), os.environ.get("PYTHONPATH", "")])
        process = subprocess.Popen(
            [sys.executable, self._folder / "fiqa-script", *map(os.fspath, self.arguments), "--resume"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, pass_fds=[writing],
            env={**environment(), "PYTHONPATH": paths, "READY": str(writing)},
            # a shell that runs the tests in the background has them ignore SIGINT, and their children too
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip
        os.close(writing)
        os.read(reading, 1)
        os.close(reading)
        return process

    def stopped(self, number: int) -> tuple[int, str, str]:
        """(exit code, stdout, stderr) of a run that gets a signal at a random moment."""
        process = self.started()
        if self._random.random() < 0.5:  # anywhere
            time.sleep(self._random.uniform(0, self.seconds))
        else:  # while rows are written, which is the shorter part
            self._wait_for_a_row(process)
            time.sleep(self._random.uniform(0, 0.3))
        process.send_signal(number)
        out, errors = process.communicate(timeout=120)
        return process.returncode, out, errors

    def check(self, code: int) -> None:
        """After a run that came to its end before the signal: its table is the whole one."""
        if code == 3:
            assert content(self.output) == self.whole
            self.begin_anew()

    def finish(self) -> None:
        """Go on with what is left, to the end."""
        code = fiqa(*self.arguments, "--resume", expect=3).returncode
        assert content(self.output) == self.whole
        self.check(code)

    def begin_anew(self) -> None:
        for file in self.output.parent.glob(f"*{self.output.name}*"):
            file.unlink()

    def _wait_for_a_row(self, process: subprocess.Popen[str]) -> None:
        before = self.n_bytes()
        while process.poll() is None and self.n_bytes() == before:
            time.sleep(0.002)

    def n_bytes(self) -> int:
        """Bytes of the rows so far."""
        journal = Path(f"{self.output}.part.jsonl") if self.output.suffix == ".parquet" else self.output
        try:
            return journal.stat().st_size
        except FileNotFoundError:
            return 0


def content(path: Path) -> Any:
    """What must be the same to the byte; of Parquet the rows."""
    if path.suffix != ".parquet":
        return path.read_bytes()
    import pyarrow.parquet as parquet

    return parquet.read_table(path).to_pylist()


@pytest.mark.slow
@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_at_any_moment_is_one_line(number, many, tmp_path):
    output = tmp_path / "table.csv"
    arguments = ["score", many, *ANY_ENGINE, "-o", output]
    (tmp_path / "script").mkdir()
    runs = Runs(tmp_path / "script", arguments, output, seed=f"signal {number}")
    ends: dict[str, int] = {"stopped": 0, "over": 0, "before": 0}
    while ends["stopped"] + ends["over"] < N_SIGNALS:
        code, out, errors = runs.stopped(number)
        assert out == ""
        if before_fiqa(code, number, errors):
            ends["before"] += 1
            assert ends["before"] <= 2 + N_SIGNALS // 10
        elif code == 128 + number:
            ends["stopped"] += 1
            assert "Traceback" not in errors
            assert errors.count("fiqa: stopped") == 1
            assert errors.splitlines()[-1].startswith("fiqa: stopped")
            assert "pip install" not in errors
        else:  # it had ended
            assert code == 3, errors
            assert "stopped" not in errors
            ends["over"] += 1
        runs.check(code)
    runs.finish()
    print(f"{signal.Signals(number).name}: {json.dumps(ends)}")


def before_fiqa(code: int, number: int, errors: str) -> bool:
    """Whether Python itself was hit before a line of ours ran, or in its first milliseconds."""
    return (code == -number and errors == "") or (
        errors.startswith("Traceback") and "KeyboardInterrupt" in errors and "/fiqa/" not in errors
    )


@pytest.mark.slow
@posix
@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_kills_at_random_moments_lose_and_double_no_row(suffix, many, tmp_path):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow", reason="Parquet needs the extra parquet")
    output = tmp_path / f"table{suffix}"
    (tmp_path / "script").mkdir()
    arguments = ["score", many, *FAST, "--align", "none", "-o", output]
    runs = Runs(tmp_path / "script", arguments, output, seed=f"kill {suffix}")
    n_rows = []
    for _ in range(-(-N_KILLS // 3)):
        code, _, _ = runs.stopped(signal.SIGKILL)
        assert code in (-signal.SIGKILL, 3)
        n_rows.append(runs.n_bytes())
        runs.check(code)
    runs.finish()
    print(f"{suffix}: bytes after each kill {n_rows}")
