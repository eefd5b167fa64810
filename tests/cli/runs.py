"""Running the command line in real processes, as the tests of its topics do."""

from __future__ import annotations

import csv
import importlib.util
import io
import os
import re
import subprocess
import sys
from typing import Any

import pytest
from tests.cli import zygote

FORKS = sys.platform == "linux"
posix = pytest.mark.skipif(os.name != "posix", reason="signals and special files as on Linux and macOS")
detects = pytest.mark.skipif(importlib.util.find_spec("mtcnn") is None, reason="needs the extra detect")

ONE = ("--engine", "onnxruntime", "--threads", "1")
FAST = (*ONE, "-m", "attn:block=0", "-m", "vitnt:blocks=0,1,weighting=uniform")  # few blocks of any network
N_MANY = int(os.environ.get("FIQA_TEST_IMAGES", "120"))  # 2000: the full check of --resume


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200", "PYTHONUNBUFFERED": ""}


def fiqa(*arguments: Any, expect: int = 0, **settings: Any) -> subprocess.CompletedProcess[bytes]:
    """Run ``fiqa`` to its end; no run may print a traceback, and each must end with the code expected."""
    command, words = [sys.executable, "-m", "fiqa"], [os.fspath(one) for one in arguments]
    if FORKS and settings.keys() <= {"cwd", "input"} and all(isinstance(one, str) for one in words):
        given = {"stdin": settings.get("input", b""), "cwd": settings.get("cwd")}
        code, out, said = zygote.run(words, env=environment(), **given)
        done = subprocess.CompletedProcess([*command, *words], code, out, said)
    else:
        output = settings.pop("stdout", subprocess.PIPE)
        done = subprocess.run(
            [*command, *words],
            stdout=output,
            stderr=subprocess.PIPE,
            timeout=300,
            env=environment(),
            **settings,
        )
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    assert b"Exception ignored" not in done.stderr, done.stderr.decode()
    assert done.returncode == expect, done.stderr.decode()
    return done


def start(*arguments: Any, **settings: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "fiqa", *map(os.fspath, arguments)],
        stdout=settings.pop("stdout", subprocess.DEVNULL),
        stderr=settings.pop("stderr", subprocess.PIPE),
        env=environment(),
        **settings,
    )


def message(done: subprocess.CompletedProcess[bytes]) -> str:
    """The one line that a failed run says (besides those that name model and engine, and that count)."""
    usual = re.compile(r" on onnxruntime|^fiqa: \d+ images in ")
    lines = [line for line in done.stderr.decode().splitlines() if not usual.search(line)]
    assert len(lines) == 1, lines
    return lines[0].removeprefix("fiqa: ")


def table(data: bytes) -> dict[str, dict[str, str]]:
    """path → row of CSV text."""
    text = data.decode("utf-8", "surrogateescape")
    return {values["path"]: values for values in csv.DictReader(io.StringIO(text, newline=""), strict=True)}
