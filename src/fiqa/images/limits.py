"""What reading an image may cost: limits for one image, and the memory that all threads share."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Condition

from ..errors import UsageError

MAX_PIXELS = 100_000_000
MAX_BYTES = 200_000_000
MEMORY = 2 * 1024**3


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one image may cost.

    Attributes:
        max_pixels: the most pixels of an image that is read.
        max_bytes: the most bytes of a file that is read.
        timeout: seconds after which a file is given up; None: never, and no process is started. Formats and
            sizes that can hang are decoded in a process of their own, which can be ended; ordinary JPEG
            and PNG files can't and stay in the calling thread.
        memory: bytes that decoding may hold at a time, over all threads of this process and its decoding
            processes. An image waits for its turn; one that needs more than all of it is decoded alone.
        tolerant: read a truncated JPEG too; what is missing is grey, and the remark says how much it is.

    Raises:
        UsageError: a limit is not positive.
    """

    max_pixels: int = MAX_PIXELS
    max_bytes: int = MAX_BYTES
    timeout: float | None = 30.0
    memory: int = MEMORY
    tolerant: bool = False

    def __post_init__(self) -> None:
        for name in ("max_pixels", "max_bytes", "memory"):
            value = getattr(self, name)
            if value < 1:
                raise UsageError(f"{name} must be at least 1, but got {value}")
        if self.timeout is not None and not (self.timeout > 0 and math.isfinite(self.timeout)):
            raise UsageError(f"timeout must be a positive number of seconds or None, but got {self.timeout}")


class SharedMemory:
    """A count of the bytes that decoding holds in this process."""

    def __init__(self) -> None:
        self._changed = Condition()
        self.held = 0

    @contextmanager
    def holding(self, n_bytes: int, most: int) -> Iterator[None]:
        """Hold ``n_bytes``, once they fit into ``most`` together with what is held, or nothing else is."""
        with self._changed:
            self._changed.wait_for(lambda: not self.held or self.held + n_bytes <= most)
            self.held += n_bytes
        try:
            yield
        finally:
            with self._changed:
                self.held -= n_bytes
                self._changed.notify_all()


shared = SharedMemory()
if hasattr(os, "register_at_fork"):  # threads that held something are not in the child
    os.register_at_fork(after_in_child=shared.__init__)  # type: ignore[misc]
