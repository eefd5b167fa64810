"""The program of a decoding process: requests on standard input → pictures on standard output.

It ends when its input does, which is when the process that started it is gone, and when its time is up.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from ..errors import ImageError
from .limits import Limits
from .reader import Reading
from .worker import TIME_IS_UP

_SLACK = 512 * 1024**2  # bytes that it may take beyond what a picture needs


def serve() -> None:
    """Answer requests until there are no more."""
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    _let_decoders_use_one_thread()
    while line := requests.readline():
        request = json.loads(line)
        source = request["path"] if request["path"] is not None else requests.read(request["n_bytes"])
        _answer(_Session(requests, answers, request, Limits(**request["limits"])), source)


def _answer(session: _Session, source: str | bytes) -> None:
    request, limits = session.request, session.limits
    reading = Reading(source, request["name"], limits, request["at_least"], hold=session.hold, outside=False)
    try:
        with session.watched():
            picture = reading.read()
    except ImageError as error:
        session.say({"status": error.status, "message": str(error)})
        return
    facts = {"scale": picture.scale, "remark": picture.remark, "jpeg_quality": picture.jpeg_quality}
    session.say({"shape": picture.pixels.shape, **facts})
    session.answers.write(picture.pixels.reshape(-1).data)
    session.answers.flush()


class _Session:
    """One request: what it may take of time and memory."""

    def __init__(
        self, requests: BinaryIO, answers: BinaryIO, request: dict[str, Any], limits: Limits
    ) -> None:
        self.requests, self.answers, self.request, self.limits = requests, answers, request, limits
        self._alarm = _Alarm()

    def say(self, answer: dict[str, Any]) -> None:
        self.answers.write(json.dumps(answer).encode() + b"\n")
        self.answers.flush()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """End the process when it takes longer, or more memory, than the header of a file may."""
        self._alarm.set(self.limits.timeout or 0)
        _limit_memory(2 * self.request["n_bytes"] + _SLACK)
        try:
            yield
        finally:
            self._alarm.stop()
            _limit_memory(None)

    @contextmanager
    def hold(self, n_bytes: int) -> Iterator[None]:
        """Ask for memory, and take no more than that; waiting for it is not counted as time."""
        left = self._alarm.stop()
        self.say({"hold": n_bytes})
        if self.requests.readline() != b"go\n":
            sys.exit()  # the one who asked is gone
        self._alarm.set(left)
        _limit_memory(n_bytes + _SLACK)
        yield


class _Alarm:
    """Ends the process after some seconds, even inside a decoder and when nobody is left to do it."""

    def set(self, seconds: float) -> None:
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, seconds)
            return
        self._seconds = seconds
        self._timer = threading.Timer(seconds, os._exit, (TIME_IS_UP,))
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> float:
        """Seconds that were left."""
        if hasattr(signal, "setitimer"):
            return signal.setitimer(signal.ITIMER_REAL, 0)[0]
        self._timer.cancel()
        return self._seconds


def _limit_memory(more: int | None) -> None:
    """Let the process take ``more`` bytes than it has; None: any number. Only where Linux counts them."""
    try:
        import resource

        with open("/proc/self/statm", "rb") as file:
            held = int(file.read().split()[5]) * resource.getpagesize()
    except (ImportError, OSError):
        return
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = hard if more is None else held + more
    resource.setrlimit(
        resource.RLIMIT_DATA, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard)
    )


def _let_decoders_use_one_thread() -> None:
    """One file a process is enough to do; and threads take memory that would have to be allowed."""
    from PIL import AvifImagePlugin

    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    try:
        import pillow_heif
    except ImportError:
        return
    pillow_heif.options.DECODE_THREADS = 1
