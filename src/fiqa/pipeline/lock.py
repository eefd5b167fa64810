"""A path in → the right to be its only writer, or a sentence on who has it."""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import time
from pathlib import Path

from ..errors import UsageError

_held: set[int] = set()  # descriptors of this process


class WriterLock:
    """A lock beside a file, of which the operating system knows the holder: a killed run leaves none.

    Args:
        path: the file that is to be written; the lock is ``.NAME.lock`` beside it.

    Raises:
        UsageError: another run holds it; the message says which.
    """

    def __init__(self, path: Path) -> None:
        real = Path(os.path.realpath(path))  # two names of one file are one file
        self._path = real.with_name(f".{real.name}.lock")
        while True:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
            if not _lock(self._file):
                holder = _text(self._file)
                os.close(self._file)
                raise UsageError(
                    f"{str(path)!r} is being written by {holder or 'another run'}: "
                    "wait for its end, or write to another file"
                )
            if _is_still(self._file, self._path):  # else its holder has just ended and taken it away
                break
            os.close(self._file)
        _held.add(self._file)
        now = time.strftime("%Y-%m-%d %H:%M:%S")
        os.ftruncate(self._file, 0)
        os.write(self._file, f"process {os.getpid()} on {platform.node()} since {now}".encode())

    def release(self) -> None:
        """Take the lock away; a second call does nothing."""
        if self._file in _held:
            _held.discard(self._file)
            with contextlib.suppress(OSError):
                self._path.unlink()
            os.close(self._file)


def _text(file: int) -> str:
    try:
        os.lseek(file, 0, os.SEEK_SET)
        return os.read(file, 1000).decode("utf-8", "replace")
    except OSError:
        return ""


def _is_still(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), os.stat(path))
    except FileNotFoundError:
        return False


try:
    import fcntl
except ImportError:  # Windows

    def _lock(file: int) -> bool:
        import msvcrt

        os.lseek(file, 1 << 30, os.SEEK_SET)  # far behind the text, which others must be able to read
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        except OSError:
            return False
        os.lseek(file, 0, os.SEEK_SET)
        return True
else:

    def _lock(file: int) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno not in (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP):
                raise
            # a file system that knows no locks is no reason to score nothing
        return True


def _close_inherited() -> None:
    """A child that outlives a killed run must not go on holding its lock."""
    while _held:
        with contextlib.suppress(OSError):
            os.close(_held.pop())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_inherited)
