"""Standard streams that are full, closed or not listened to."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from typing import Any

import pytest
from tests.cli.runs import FAST, environment, fiqa, message, posix, start, table


@posix
def test_a_reader_that_has_seen_enough_ends_the_run_quietly(many):
    process = start("score", many, *FAST, stdout=subprocess.PIPE)
    assert process.stdout.readline().startswith(b"path,face,status,score")
    process.stdout.close()
    assert process.wait(280) == 0
    errors = process.stderr.read().decode()
    assert errors.count("\n") == 1, errors  # the line that names model and engine


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux's /dev/full")
@pytest.mark.parametrize("arguments", [("score", "{many}", *FAST), ("methods",), ("--help",)])
def test_a_full_disk_is_one_sentence(arguments, many):
    with open("/dev/full", "wb") as full:
        done = fiqa(*(text.format(many=many) for text in arguments), stdout=full, expect=1)
    assert "can't write: No space left on device" in message(done)


def shell(command: str, **settings: Any) -> subprocess.CompletedProcess[bytes]:
    """Run ``fiqa …`` in a shell, which can close streams."""
    command = command.replace("fiqa", f"exec {shlex.quote(sys.executable)} -m fiqa", 1)
    done = subprocess.run(
        ["sh", "-c", command], capture_output=True, env=environment(), timeout=300, **settings
    )
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    assert b"Exception ignored" not in done.stderr, done.stderr.decode()
    return done


@posix
@pytest.mark.parametrize(
    ("command", "code", "says"),
    [
        ("fiqa score - <&-", 2, "standard input is closed: give the list as @FILE"),
        ("fiqa score a.jpg >&-", 2, "standard output is closed: name a file with --output"),
        ("fiqa methods >&-", 1, "can't write: standard output is closed"),
        ("fiqa --help >&-", 1, "can't write: standard output is closed"),
    ],
)
def test_a_closed_stream_is_one_sentence(command, code, says):
    done = shell(command)
    assert done.returncode == code
    assert says in message(done)
    assert done.stdout == b""


@posix
def test_a_run_into_a_file_needs_no_standard_streams(many, tmp_path):
    files, fast = f"{many}/0000[0-2].png", " ".join(FAST)
    done = shell(f"fiqa score '{files}' {fast} -o table.csv <&- >&- 2>&-", cwd=tmp_path)
    assert done.returncode == 0
    assert (done.stdout, done.stderr) == (b"", b"")
    assert len(table((tmp_path / "table.csv").read_bytes())) == 3


@posix
def test_what_belongs_to_stderr_never_comes_on_stdout(many):
    done = shell(f"fiqa score {many}/00000.png nowhere.jpg {' '.join(FAST)} 2>&-")
    assert done.returncode == 3
    assert done.stdout.startswith(b"path,")
    assert len(done.stdout.splitlines()) == 3
