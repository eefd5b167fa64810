"""Images in any number → qualities in their order: decode ahead, passes side by side, hold little."""

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
Faces = list[tuple["Entry", int]]
"""Entries and which of their faces, for one pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Schedules images through two functions; it computes nothing itself.

    Attributes:
        locate: one image → its faces with their crops; ImageError for one that can't be used. Called in
            threads.
        judge: crops uint8 (B, 112, 112, 3) and where each is from → one quality each, in order.
        batch_size: B of every call of ``judge``.
        threads: that there are for all work.
        streams: calls of ``judge`` at once, in the same threads; None: it is called in the caller's own
            thread, one call after another, while the threads locate.
    """

    locate: Locate
    judge: Judge
    batch_size: int
    threads: int
    streams: int | None = None

    def run(self, images: Iterable[Any]) -> Iterator[Quality]:
        """One quality per face, or one that says why there is none, in the order of the images.

        A result does not depend on its neighbours, nor on the batch it happens to be in.
        """
        pool = ThreadPoolExecutor(self.threads, thread_name_prefix="fiqa-stream")
        try:
            flow = _Flow(self, pool)
            for entry in self._located(images, pool):
                flow.add(entry)
                yield from flow.ready()
            yield from flow.rest()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _located(self, images: Iterable[Any], pool: ThreadPoolExecutor) -> Iterator[Entry]:
        """Locate in threads, so far ahead of the image that is asked for that every pass finds its batch."""
        source = iter(images)
        futures: deque[Future[Entry]] = deque()

        def submit(count: int) -> None:
            for image in islice(source, count):
                futures.append(pool.submit(entry_of, image, self.locate))

        submit(((self.streams or 1) + 1) * self.batch_size + self.threads)
        while futures:
            yield futures.popleft().result()
            submit(1)


class _Flow:
    """The entries of a stream in their order, and the passes that are under way over their faces."""

    def __init__(self, stream: Stream, pool: ThreadPoolExecutor) -> None:
        self._stream, self._pool = stream, pool
        self._entries: deque[Entry] = deque()
        self._waiting: deque[Entry] = deque()  # those with faces that no pass has taken up
        self._n_waiting = 0  # faces
        self._n_since = 0  # images that came while faces waited, since the last pass began
        self._passes: deque[tuple[Faces, Future[list[Quality]]]] = deque()
        self._error: BaseException | None = None  # of the first pass that failed
        self._most_passes = 2 * stream.streams if stream.streams else 1  # as many again wait for a thread
        self._most_entries = _MOST_WAITING * stream.batch_size * self._most_passes

    def add(self, entry: Entry) -> None:
        """Take one more entry, and begin the passes that it fills."""
        self._entries.append(entry)
        if entry.found:
            self._waiting.append(entry)
            self._n_waiting += len(entry.found)
        self._n_since = self._n_since + 1 if self._n_waiting else 0
        size = self._stream.batch_size
        # a short batch where few images give a face: else the many others would wait for its results
        while self._n_waiting >= size or (self._n_waiting and self._n_since >= _MOST_WAITING * size):
            self._begin()

    def ready(self) -> Iterator[Quality]:
        """The results that are there; waits for them only where too many images are held."""
        while self._passes and (self._passes[0][1].done() or len(self._entries) >= self._most_entries):
            self._finish()
        while self._entries and self._entries[0].done:
            yield from self._entries.popleft().results()
        if self._error is not None:  # after the results of the passes before it
            raise self._error

    def rest(self) -> Iterator[Quality]:
        """All other results."""
        while self._waiting and self._error is None:
            self._begin()
        while self._passes:
            self._finish()
            yield from self.ready()
        yield from self.ready()

    def _begin(self) -> None:
        """One pass over the faces that have waited longest."""
        while len(self._passes) >= self._most_passes:
            self._finish()
        faces = begin(self._waiting, self._stream.batch_size)
        while self._waiting and not self._waiting[0].waiting():
            self._waiting.popleft()
        self._n_waiting -= len(faces)
        self._n_since = 0
        self._passes.append((faces, self._judged(faces)))

    def _judged(self, faces: Faces) -> Future[list[Quality]]:
        judge, batch_size = self._stream.judge, self._stream.batch_size
        if self._stream.streams:
            return self._pool.submit(judged, faces, judge, batch_size)
        here: Future[list[Quality]] = Future()
        try:
            here.set_result(judged(faces, judge, batch_size))
        except Exception as error:
            here.set_exception(error)
        return here

    def _finish(self) -> None:
        faces, qualities = self._passes.popleft()
        error = qualities.exception()
        if error is None:
            finish(faces, qualities.result())
        else:
            self._error = self._error or error


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
    """Score the first ``batch_size`` faces that wait.

    Returns:
        How many faces were scored.
    """
    faces = begin(entries, batch_size)
    finish(faces, judged(faces, judge, batch_size))
    return len(faces)


def begin(entries: Iterable[Entry], batch_size: int) -> Faces:
    """The first ``batch_size`` faces that wait, which from now on do not."""
    faces = list(islice(((entry, i) for entry in entries for i in entry.waiting()), batch_size))
    for entry, _ in faces:
        entry.n_begun += 1
    return faces


def judged(faces: Faces, judge: Judge, batch_size: int) -> list[Quality]:
    """One quality per face, from one pass whose short batch is filled up with blanks.

    A run time may choose another kernel for another batch size, and the last bits differ then; with one
    size for all batches that can't happen.
    """
    crops = np.zeros((batch_size, *CROP_SHAPE), dtype=np.uint8)
    found = [Located(None, blank) for blank in crops]
    for row, (entry, i) in enumerate(faces):
        found[row] = entry.found[i]
        crops[row] = found[row].crop
    return [
        replace(
            quality,
            path=entry.path,
            reason=quality.reason or one.remark,
            face=one.face,
            face_index=i,
            crop=one.crop,
        )
        for (entry, i), one, quality in zip(faces, found, judge(crops, found), strict=False)
    ]


def finish(faces: Faces, qualities: Iterable[Quality]) -> None:
    """Give the entries the qualities of their faces."""
    for (entry, _), quality in zip(faces, qualities, strict=True):
        entry.scored.append(quality)


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
        n_begun: how many of them, the first, a pass has taken up.
        scored: the qualities of the first of them.
    """

    path: str | None
    found: list[Located] = field(default_factory=list)
    error: ImageError | None = None
    n_begun: int = 0
    scored: list[Quality] = field(default_factory=list)

    @property
    def done(self) -> bool:
        """Whether every face has its quality."""
        return len(self.scored) == len(self.found)

    def waiting(self) -> range:
        """Indices of the faces that no pass has taken up."""
        return range(self.n_begun, len(self.found))

    def results(self) -> list[Quality]:
        """One quality per face, or one that says why there is no face."""
        if self.error is not None:
            return [Quality(status=self.error.status, reason=str(self.error), path=self.path)]
        return self.scored or [Quality(status="no_face", reason="no face was found", path=self.path)]
