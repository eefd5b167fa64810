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
from .images.encoded import EncodedImage
from .reasons import Diagnosis
from .types import CROP_SHAPE, Face, ImageArray, Quality

_MOST_WAITING = 16  # images a batch


class Located(NamedTuple):
    """One face on its way to the network.

    Attributes:
        face: where it is; None for an input that was a crop.
        crop: (112, 112, 3) uint8 RGB.
        remark: on the image; empty if there is none.
        diagnosis: what may be wrong with it; None if nobody asked.
    """

    face: Face | None
    crop: ImageArray
    remark: str = ""
    diagnosis: Diagnosis | None = None


Locate = Callable[[Any], list[Located]]
Judge = Callable[[ImageArray, list[Located]], list[Quality]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Schedules images through two functions; it computes nothing itself.

    Attributes:
        locate: one image → its faces with their crops; ImageError for one that can't be used. Called in
            threads.
        judge: crops uint8 (B, 112, 112, 3) and where each is from → one quality each, in order.
        batch_size: B of every call of ``judge``.
        threads: that ``locate`` runs in.
    """

    locate: Locate
    judge: Judge
    batch_size: int
    threads: int

    def run(self, images: Iterable[Any]) -> Iterator[Quality]:
        """One quality per face, or one that says why there is none, in the order of the images.

        A result does not depend on its neighbours, nor on the batch it happens to be in.
        """
        entries: deque[Entry] = deque()
        ready = 0
        for entry in self._located(images):
            entries.append(entry)
            ready += len(entry.found)
            # a short batch where few images give a face: else the many others would wait for its results
            while ready >= self.batch_size or (ready and len(entries) >= _MOST_WAITING * self.batch_size):
                ready -= judge_batch(entries, self.judge, self.batch_size)
            while entries and entries[0].done:
                yield from entries.popleft().results()
        if ready:
            judge_batch(entries, self.judge, self.batch_size)
        while entries:
            yield from entries.popleft().results()

    def _located(self, images: Iterable[Any]) -> Iterator[Entry]:
        """Locate in threads, at most two batches before the image that is asked for."""
        source = iter(images)
        pool = ThreadPoolExecutor(self.threads, thread_name_prefix="fiqa-decode")
        try:
            futures: deque[Future[Entry]] = deque()

            def submit(count: int) -> None:
                for image in islice(source, count):
                    futures.append(pool.submit(entry_of, image, self.locate))

            submit(2 * self.batch_size + self.threads)
            while futures:
                yield futures.popleft().result()
                submit(1)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def entry_of(image: Any, locate: Locate) -> Entry:
    """Locate the faces of one image; one that can't be used is an entry that says why."""
    path = path_of(image)
    try:
        return Entry(path=path, found=locate(image))
    except ImageError as error:
        return Entry(path=path, error=error)
    except MemoryError:
        no_room = ImageError("failed", "there was not enough memory for the image")
        return Entry(path=path, error=no_room)


def judge_batch(entries: Iterable[Entry], judge: Judge, batch_size: int) -> int:
    """Score the first ``batch_size`` crops that wait, filling a short batch up with blanks.

    A run time may choose another kernel for another batch size, and the last bits differ then; with one
    size for all batches that can't happen.

    Returns:
        How many crops were scored.
    """
    batch = list(islice(((entry, i) for entry in entries for i in entry.waiting()), batch_size))
    crops = np.zeros((batch_size, *CROP_SHAPE), dtype=np.uint8)
    found = [Located(None, blank) for blank in crops]
    for row, (entry, i) in enumerate(batch):
        found[row] = entry.found[i]
        crops[row] = found[row].crop
    for (entry, i), one, quality in zip(batch, found, judge(crops, found), strict=False):
        quality = replace(quality, path=entry.path, reason=quality.reason or one.remark)
        entry.scored.append(replace(quality, face=one.face, face_index=i, crop=one.crop))
    return len(batch)


def path_of(image: Any) -> str | None:
    """The path of an image that has one, of ``(image, faces)`` too; None for any other."""
    if isinstance(image, tuple) and image:
        image = image[0]
    if isinstance(image, EncodedImage):
        return image.path
    return os.fsdecode(image) if isinstance(image, str | os.PathLike) else None


@dataclass(slots=True, kw_only=True)
class Entry:
    """One image on its way to its qualities.

    Attributes:
        path: of the image, if it has one.
        found: its faces.
        error: why there is none.
        scored: the qualities of the first of them.
    """

    path: str | None
    found: list[Located] = field(default_factory=list)
    error: ImageError | None = None
    scored: list[Quality] = field(default_factory=list)

    @property
    def done(self) -> bool:
        """Whether every face has its quality."""
        return len(self.scored) == len(self.found)

    def waiting(self) -> range:
        """Indices of the faces that have none yet."""
        return range(len(self.scored), len(self.found))

    def results(self) -> list[Quality]:
        """One quality per face, or one that says why there is no face."""
        if self.error is not None:
            return [Quality(status=self.error.status, reason=str(self.error), path=self.path)]
        return self.scored or [Quality(status="no_face", reason="no face was found", path=self.path)]
