"""Files that can hang → their pictures, by way of processes that can be ended.

A process reads one file after another: a request comes on its standard input, an answer goes to its standard
output. It is not started by multiprocessing, which would run the caller's main module once more.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import numpy as np

from ..errors import ImageError
from .limits import Limits, shared
from .picture import Picture

TIME_IS_UP = 75  # exit code of a process where there are no alarm signals
_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from fiqa.images.decoder import serve; serve()"
)
_idle: list[Worker] = []


def read_outside(
    source: str | bytes | bytearray | memoryview, name: str, limits: Limits, at_least: int | None
) -> Picture:
    """Read a file, or its bytes, in another process.

    Raises:
        ImageError: what reading raises there; status ``failed`` if time or memory ran out, ``unreadable`` if
            the decoder crashed.
    """
    if not sys.executable:  # Python inside another program: there is nothing to start
        from .reader import Reading

        return Reading(source, name, limits, at_least, outside=False).read()
    try:
        worker = _idle.pop()
        while not worker.alive:  # somebody has ended it
            worker.close()
            worker = _idle.pop()
    except IndexError:
        worker = _start(name)
    try:
        return worker.read(source, name, limits, at_least)
    finally:
        if worker.ready:
            _idle.append(worker)
        else:
            worker.close()


def _start(name: str) -> Worker:
    try:
        return Worker()
    except OSError as error:
        reason = f"no process can be started to read {name}: {error.strerror}"
        raise ImageError("failed", reason) from error


class Worker:
    """A process that decodes, as seen from here; for one thread at a time.

    Attributes:
        ready: whether it waits for a request, rather than being dead or in the middle of one.
    """

    def __init__(self) -> None:
        one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
        options: dict[str, Any] = {"process_group": 0} if os.name == "posix" else {}  # Ctrl-C is not for it
        process = subprocess.Popen(
            [sys.executable, "-c", _START, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # where libtiff and others warn
            env={**os.environ, **one_thread},
            **options,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        self._process, self._requests, self._answers = process, process.stdin, process.stdout
        self.ready = True

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def read(self, source: Any, name: str, limits: Limits, at_least: int | None) -> Picture:
        """One picture; ImageError as of :func:`read_outside`."""
        self.ready = False
        is_path = isinstance(source, str)
        request = {
            "path": os.path.abspath(source) if is_path else None,
            "n_bytes": 0 if is_path else len(source),
            "name": name,
            "limits": asdict(limits),
            "at_least": at_least,
        }
        pixels = None
        try:
            self._requests.write(json.dumps(request).encode() + b"\n")
            if not is_path:
                self._requests.write(source)
            answer = self._answer()
            while "hold" in answer:
                with shared.holding(answer["hold"], limits.memory):
                    self._requests.write(b"go\n")
                    answer = self._answer()
                    pixels = self._pixels(answer["shape"]) if "shape" in answer else None
        except (BrokenPipeError, EOFError) as error:
            raise self._death(name, limits) from error
        self.ready = True
        if pixels is None or "status" in answer:
            raise ImageError(answer["status"], answer["message"])
        facts = {name: answer[name] for name in ("scale", "remark", "jpeg_quality")}
        return Picture(pixels=pixels, **facts)

    def _answer(self) -> dict[str, Any]:
        self._requests.flush()
        line = self._answers.readline()
        if not line.endswith(b"\n"):
            raise EOFError
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _pixels(self, shape: list[int]) -> np.ndarray:
        pixels = np.empty(shape, dtype=np.uint8)
        rest = pixels.reshape(-1).data
        while rest:
            n_read = self._answers.readinto(rest)  # type: ignore[attr-defined]
            if not n_read:
                raise EOFError
            rest = rest[n_read:]
        return pixels

    def _death(self, name: str, limits: Limits) -> ImageError:
        code = self._process.wait()
        if code == TIME_IS_UP or code == -getattr(signal, "SIGALRM", 0):
            return ImageError("failed", f"{name} took more than {limits.timeout:g} seconds to decode")
        if code == -getattr(signal, "SIGKILL", 9):  # so the system ends what takes too much of its memory
            return ImageError("failed", f"there was not enough memory to read {name}")
        return ImageError("unreadable", f"{name} is damaged: its decoder crashed")

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        for pipe in (self._requests, self._answers):
            with suppress(OSError):
                pipe.close()
        self._process.wait()


@atexit.register
def _close_idle() -> None:
    while _idle:
        _idle.pop().close()


def _forget() -> None:
    """After a fork: the processes belong to the parent."""
    _idle.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
