"""Shards that several processes share in → one of them at a time for each, until it dies.

A claim is a file that only one process can make; it names its holder, whose pulse is a file that it touches.
A holder whose pulse has stopped for the time of a lease has lost what it held, and one whose process is gone
from this machine at once: then the next claim on the shard is a file of the next number, which again only one
process can make. All ages are differences of times that the file server gave, so clocks may differ.
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

from .exclusive import create

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
        self._pulse = self._pulse_of(self.name)
        self._held: dict[int, int] = {}  # shard → generation of our claim
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
        generation, lost = 0, ""
        while not create(self._claim(number, generation), self.name):
            try:
                holder = self._claim(number, generation).read_text(encoding="utf-8")
            except FileNotFoundError:  # given back in between
                continue
            if not self._is_lost(self._claim(number, generation), holder):
                return False
            generation, lost = generation + 1, holder
        if lost:
            with suppress(OSError):
                self._pulse_of(lost).unlink()
        self._held[number] = generation
        return True

    def give_back(self, number: int) -> None:
        """End a claim, unless it was lost meanwhile and another process has taken the shard."""
        generation = self._held.pop(number, None)
        if generation is not None and not self._claim(number, generation + 1).exists():
            with suppress(OSError):
                self._claim(number, generation).unlink()

    def wait(self) -> None:
        """Wait a little for what others do."""
        time.sleep(min(1.0, self._lease / _BEATS))

    def _claim(self, number: int, generation: int) -> Path:
        """The file of a claim; a lost one stays, and the next generation is what can be had after it."""
        return self._folder / (f"shard-{number}.{generation}" if generation else f"shard-{number}")

    def _pulse_of(self, holder: str) -> Path:
        return self._folder / f"pulse-{holder}"

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
                last = max(last, self._pulse_of(holder).stat().st_mtime)
            self._pulse.touch()
            return self._pulse.stat().st_mtime - last > self._lease
        except FileNotFoundError:
            return False  # it has just ended


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
