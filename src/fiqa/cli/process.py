"""Signals and standard streams of this process → one line and an exit code, from the first moment on.

This runs before anything heavy is imported, and imports nothing heavy itself.
"""

from __future__ import annotations

import atexit
import errno
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

_SHOW_CURSOR = "\r\x1b[2K\x1b[?25h"  # a progress bar hides it


class _State:
    """What a signal finds."""

    pid = 0  # of the process that says something: a child that inherits the handler goes quietly
    advice = ""  # what to say beside "stopped"
    code: int | None = None  # once the command is over


def guard() -> None:
    """End this process in one line whenever Ctrl-C or SIGTERM comes, and give it three open streams.

    The process ends at once, wherever it is: an exception in its place would come out of half-made imports as
    "not installed", or not at all. That loses nothing, since every row is handed over when it is written.
    """
    _State.pid = os.getpid()
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as a shell does for what it runs behind
            signal.signal(number, _stop)
    _open_streams()


@contextmanager
def advice(text: str) -> Iterator[None]:
    """While this lasts, a signal's line is ``stopped; `` and this text."""
    before, _State.advice = _State.advice, text
    try:
        yield
    finally:
        _State.advice = before


def over(code: int) -> None:
    """Say that the command has ended: a signal from now on only hurries the end."""
    _State.code = code
    atexit.register(_ignore_signals)  # Python gives them back their fatal meaning when it takes itself down


def stdout_is_closed() -> bool:
    """Whether nobody can see what is printed."""
    return isinstance(sys.stdout, _Closed)


def _stop(number: int, frame: FrameType | None) -> None:
    if _State.code is not None:
        os._exit(_State.code)
    if os.getpid() == _State.pid:
        line = f"fiqa: stopped{'; ' if _State.advice else ''}{_State.advice}\n"
        with suppress(OSError):  # nobody listens
            os.write(2, ((_SHOW_CURSOR if os.isatty(2) else "") + line).encode())
    os._exit(128 + number)


def _ignore_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


class _Closed:
    """Standard output where there is none: whoever prints learns it, and anybody may ask what it is."""

    encoding, errors = "utf-8", "strict"

    def write(self, text: str) -> int:
        raise OSError(errno.EBADF, "standard output is closed")

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        return 1


def _open_streams() -> None:
    """Occupy the numbers of closed streams, or the next file that is opened becomes the standard output."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    if sys.stdout is None:
        sys.stdout = _Closed()
    if sys.stderr is None:  # print() would take the standard output for it
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
