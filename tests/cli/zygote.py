"""A process that has imported what every command imports, and is forked for each: half of a short run's time.

Each command still runs in a process of its own, with its own arguments, streams, folder and environment, and
ends as it would by itself. ``python zygote.py`` reads one request a line of standard input, JSON, and answers
each with the exit code.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, BinaryIO

KEPT = ("PYTHON", "LC_", "LANG", "OMP_", "OPENBLAS_")  # variables that are read when a process starts
TIMEOUT = 300  # seconds a command


def run(
    arguments: list[str], *, stdin: bytes, cwd: Path | None, env: dict[str, str]
) -> tuple[int, bytes, bytes]:
    """Exit code (minus the number of a signal that ended it), standard output and standard error."""
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as said:
        given.write(stdin)
        given.seek(0)
        code = _server(tuple(sorted(started_with(env).items()))).ask(
            {"arguments": arguments, "cwd": os.fspath(cwd or Path.cwd()), "env": env}, (given, out, said)
        )
        for file in (out, said):
            file.seek(0)
        return code, out.read(), said.read()


def started_with(env: dict[str, str]) -> dict[str, str]:
    """The variables of which a process takes note only when it starts."""
    return {name: value for name, value in env.items() if name.startswith(KEPT)}


class _Server:
    """The process, from the side of those who ask."""

    def __init__(self, env: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **env},
        )
        atexit.register(self._process.kill)

    def ask(self, request: dict[str, Any], streams: tuple[BinaryIO, ...]) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        paths = [f"/proc/{os.getpid()}/fd/{stream.fileno()}" for stream in streams]
        self._process.stdin.write(json.dumps({**request, "streams": paths}).encode() + b"\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@functools.cache
def _server(env: tuple[tuple[str, str], ...]) -> _Server:
    return _Server(dict(env))


def serve() -> None:
    """Fork a child for each request; only the children return."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what an import prints is no answer
    _import()
    assert len(os.listdir("/proc/self/task")) == 1  # a lock that a thread holds would stay held in a child
    requests = os.fdopen(os.dup(0), "rb")
    while line := requests.readline():
        request = json.loads(line)
        child = os.fork()
        if not child:
            requests.close()
            answers.close()
            _become(request)
            return
        answers.write(b"%d\n" % _wait(child))
        answers.flush()
    os._exit(0)


def _import() -> None:
    import numpy  # noqa: F401
    import rich.console
    import rich.table  # noqa: F401

    import fiqa.cli.main
    import fiqa.faces
    import fiqa.models
    import fiqa.pipeline
    import fiqa.scorer  # noqa: F401


def _wait(child: int) -> int:
    signal.signal(signal.SIGALRM, lambda *_: os.kill(child, signal.SIGKILL))
    signal.alarm(TIMEOUT)
    try:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    finally:
        signal.alarm(0)


def _become(request: dict[str, Any]) -> None:
    """Make this process the one that was asked for."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    for number, path in enumerate(request["streams"]):
        opened = os.open(path, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_APPEND)
        os.dup2(opened, number)
        os.close(opened)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    sys.argv = ["fiqa", *request["arguments"]]


if __name__ == "__main__":
    sys.path.pop(0)  # this folder, which holds modules of tests
    serve()
    from fiqa.__main__ import main

    main()
