"""Images in any number → qualities in their order: decode ahead, fill batches, hold little."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from .errors import ImageError
from .types import CROP_SHAPE, Face, ImageArray, Quality

_MOST_WAITING = 16  # images a batch


class Located(NamedTuple):
    """Where a face is, None for an input that was a crop; its crop; and a remark on the image, or none."""

    face: Face | None
    crop: ImageArray
    remark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Schedules images through two functions; it computes nothing itself.

    Attributes:
        locate: one image → its faces with their crops; ImageError for one that can't be used. Called in
            threads.
        judge: crops uint8 (B, 112, 112, 3) and the faces they were cut around → one quality each, in order.
        batch_size: B of every call of ``judge``.
        threads: that ``locate`` runs in.
    """

    locate: Callable[[Any], list[Located]]
    judge: Callable[[ImageArray, list[Face | None]], list[Quality]]
    batch_size: int
    threads: int

    def run(self, images: Iterable[Any]) -> Iterator[Quality]:
        """One quality per face, or one that says why there is none, in the order of the images.

        A result does not depend on its neighbours, nor on the batch it happens to be in.
        """
        entries: deque[_Entry] = deque()
        ready = 0
        for entry in self._located(images):
            entries.append(entry)
            ready += len(entry.found)
            # a short batch where few images give a face: else the many others would wait for its results
            while ready >= self.batch_size or (ready and len(entries) >= _MOST_WAITING * self.batch_size):
                ready -= self._judge_batch(entries)
            while entries and entries[0].done:
                yield from entries.popleft().results()
        if ready:
            self._judge_batch(entries)
        while entries:
            yield from entries.popleft().results()

    def _judge_batch(self, entries: Iterable[_Entry]) -> int:
        """Score the first ``batch_size`` crops that wait, filling a short batch up with blanks.

        A run time may choose another kernel for another batch size, and the last bits differ then; with one
        size for all batches that can't happen.
        """
        batch = list(islice(((entry, i) for entry in entries for i in entry.waiting()), self.batch_size))
        crops = np.zeros((self.batch_size, *CROP_SHAPE), dtype=np.uint8)
        faces: list[Face | None] = [None] * self.batch_size
        for row, (entry, i) in enumerate(batch):
            faces[row], crops[row], _ = entry.found[i]
        for (entry, i), quality in zip(batch, self.judge(crops, faces), strict=False):
            face, crop, remark = entry.found[i]
            quality = replace(quality, path=entry.path, reason=quality.reason or remark)
            entry.scored.append(replace(quality, face=face, face_index=i, crop=crop))
        return len(batch)

    def _located(self, images: Iterable[Any]) -> Iterator[_Entry]:
        """Locate in threads, at most two batches before the image that is asked for."""
        source = iter(images)
        pool = ThreadPoolExecutor(self.threads, thread_name_prefix="fiqa-decode")
        try:
            futures: deque[tuple[str | None, Future[list[Located]]]] = deque()

            def submit(count: int) -> None:
                for image in islice(source, count):
                    futures.append((path_of(image), pool.submit(self.locate, image)))

            submit(2 * self.batch_size + self.threads)
            while futures:
                path, future = futures.popleft()
                try:
                    yield _Entry(path, future.result())
                except ImageError as error:
                    yield _Entry(path, [], error)
                except MemoryError:
                    yield _Entry(path, [], ImageError("failed", "there was not enough memory for the image"))
                submit(1)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def path_of(image: Any) -> str | None:
    """The path of an image that is given by one, of ``(image, faces)`` too; None for any other."""
    if isinstance(image, tuple) and image:
        image = image[0]
    return os.fsdecode(image) if isinstance(image, str | os.PathLike) else None


@dataclass(slots=True)
class _Entry:
    """One image on its way through a stream."""

    path: str | None
    found: list[Located]
    error: ImageError | None = None
    scored: list[Quality] = field(default_factory=list)

    @property
    def done(self) -> bool:
        return len(self.scored) == len(self.found)

    def waiting(self) -> range:
        return range(len(self.scored), len(self.found))

    def results(self) -> list[Quality]:
        if self.error is not None:
            return [Quality(status=self.error.status, reason=str(self.error), path=self.path)]
        return self.scored or [Quality(status="no_face", reason="no face was found", path=self.path)]
