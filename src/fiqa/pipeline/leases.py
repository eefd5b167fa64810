"""Shards that several processes share in → one of them at a time for each, until it dies.

A claim is a file that only one process can make; it names its holder, whose pulse is a file that it touches.
A holder whose pulse has stopped for the time of a lease has lost what it held, and one whose process is gone
from this machine at once. All ages are differences of times that the file server gave, so clocks may differ.
Should two do a shard after all, they write the same rows to the same name.
"""

from __future__ import annotations

import os
import platform
import threading
import time
import uuid
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from .exclusive import create, temporary_beside

LEASE = 120.0  # seconds; clients of NFS see a change after up to 60
_BEATS = 6  # a lease


class Claims:
    """What this process has claimed: ``with Claims(folder) as claims: if claims.take(12): …``.

    Args:
        folder: where the claims of all lie; is made where there is none.
        lease: seconds without a pulse after which a holder has lost its claims; the same for all.
        host: name of this machine.
    """

    def __init__(self, folder: Path, *, lease: float = LEASE, host: str | None = None) -> None:
        self._folder, self._lease = folder, lease
        self._host = host or platform.node()
        self.name = f"{os.getpid()}-{uuid.uuid4().hex[:8]}@{self._host}"
        self._pulse = folder / f"pulse-{self.name}"
        self._over = threading.Event()
        folder.mkdir(parents=True, exist_ok=True)
        self._pulse.touch()
        self._thread = threading.Thread(target=self._beat, name="fiqa-pulse", daemon=True)
        self._thread.start()

    def __enter__(self) -> Claims:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        with suppress(OSError):
            self._pulse.unlink()
        with suppress(OSError):  # others still work
            self._folder.rmdir()

    def take(self, number: int) -> bool:
        """Claim a shard; False if a live process has it."""
        claim = self._claim(number)
        if create(claim, self.name):
            return True
        try:
            holder = claim.read_text(encoding="utf-8")
        except FileNotFoundError:  # given back in between
            return create(claim, self.name)
        return self._is_lost(claim, holder) and self._take_away(claim, holder) and create(claim, self.name)

    def give_back(self, number: int) -> None:
        """End a claim, if it is still ours."""
        claim = self._claim(number)
        with suppress(OSError):
            if claim.read_text(encoding="utf-8") == self.name:
                claim.unlink()

    def wait(self) -> None:
        """Wait a little for what others do."""
        time.sleep(min(1.0, self._lease / _BEATS))

    def _claim(self, number: int) -> Path:
        return self._folder / f"shard-{number}"

    def _beat(self) -> None:
        while not self._over.wait(self._lease / _BEATS):
            with suppress(OSError):
                self._pulse.touch()

    def _is_lost(self, claim: Path, holder: str) -> bool:
        process, _, host = holder.partition("@")
        if host == self._host and not _is_alive(process.partition("-")[0]):
            return True
        try:
            last = claim.stat().st_mtime
            with suppress(FileNotFoundError):
                last = max(last, (self._folder / f"pulse-{holder}").stat().st_mtime)
            self._pulse.touch()
            return self._pulse.stat().st_mtime - last > self._lease
        except FileNotFoundError:
            return False  # it has just ended

    def _take_away(self, claim: Path, holder: str) -> bool:
        """Take a lost claim away; False if somebody else has done so, and may have claimed it anew."""
        aside = temporary_beside(claim)
        try:
            os.rename(claim, aside)
        except FileNotFoundError:
            return False
        try:
            if aside.read_text(encoding="utf-8") == holder:
                with suppress(OSError):
                    (self._folder / f"pulse-{holder}").unlink()
                return True
            with suppress(OSError):
                os.link(aside, claim)  # a new one: it goes back
            return False
        finally:
            with suppress(OSError):
                aside.unlink()


def _is_alive(pid: str) -> bool:
    if not pid.isdecimal() or os.name != "posix":  # elsewhere a signal would end it
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
