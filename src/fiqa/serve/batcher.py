"""Images and crops of many requests → qualities: a bounded queue, full batches, one thread for the engine."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from ..scorer import Scorer
from ..stream import Entry, Located, entry_of, judge_batch
from ..types import ImageArray, Quality
from .log import log
from .metrics import Metrics
from .problems import Problem, busy

Answer = Future[list[Quality]]


@dataclass(slots=True, eq=False, kw_only=True)
class _Work:
    """One image, or the crops of one request, on their way."""

    answer: Answer
    cost: int = 1  # of what may be in flight
    entry: Entry = field(default_factory=lambda: Entry(path=None))
    begun: bool = False  # whether a pass has taken it up
    waited: float = 0.0  # seconds, for the pool and for the engine
    _since: float = field(default_factory=time.monotonic)

    def begins_to_wait(self) -> None:
        self._since = time.monotonic()

    def ends_to_wait(self) -> None:
        self.waited += time.monotonic() - self._since


class Batcher:
    """Schedules what requests bring through one scorer, whose results do not depend on it.

    Decoding and detection run in a pool of threads, the engine's passes in a thread of their own, which takes
    whatever waits: it never delays a face to fill a batch.

    Args:
        scorer: what locates and judges.
        metrics: that are told of it.
        batch_size: the most faces per pass.
        max_in_flight: the most images that may be on their way; a pass's worth of crops counts as one.
    """

    def __init__(self, scorer: Scorer, metrics: Metrics, *, batch_size: int, max_in_flight: int) -> None:
        self._scorer, self._metrics = scorer, metrics
        self._batch_size, self._max_in_flight = batch_size, max_in_flight
        self._changed = threading.Condition()
        self._ready: deque[_Work] = deque()
        self._in_flight = 0
        self._closing = self._closed = False
        self._pool = ThreadPoolExecutor(scorer.threads, thread_name_prefix="fiqa-serve")
        self._engine = threading.Thread(target=self._run, name="fiqa-engine", daemon=True)

    def start(self) -> None:
        """Compile the network for every size of batch, open the detector, and begin to work; once is enough.

        Raises:
            MissingExtra: there is no detector.
        """
        if self._engine.ident is not None:
            return
        for size in _sizes(self._batch_size):
            self._scorer.warm_up(size)
        self._engine.start()

    @property
    def ready(self) -> bool:
        """Whether it takes images."""
        return self._engine.is_alive() and not self._closing

    def images(
        self, images: Sequence[bytes], *, all_faces: bool = False, reasons: bool = False
    ) -> list[Answer]:
        """Accept encoded images, all or none.

        Raises:
            Problem: 503, too much is in flight, or the server is about to stop.
        """
        works = self._accept([1] * len(images))
        for work, image in zip(works, images, strict=True):
            self._pool.submit(self._locate, work, image, all_faces, reasons)
        return [work.answer for work in works]

    def crops(self, crops: ImageArray) -> Answer:
        """Accept aligned crops, uint8 (N, 112, 112, 3) RGB.

        Raises:
            Problem: 503, as of :meth:`images`; 413, they are more than may ever be in flight.
        """
        passes = -(-len(crops) // self._batch_size)
        if passes > self._max_in_flight:
            most = self._max_in_flight * self._batch_size
            raise Problem(413, f"a request may hold at most {most} crops, but got {len(crops)}")
        (work,) = self._accept([passes])
        work.entry = Entry(path=None, found=[Located(None, crop) for crop in crops])
        self._to_engine(work)
        return work.answer

    def close(self) -> None:
        """Answer what was accepted, then end; nothing is accepted from now on."""
        with self._changed:
            self._closing = True
        self._pool.shutdown(wait=True)
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._engine.is_alive():
            self._engine.join()

    # ------------------------------------------------------------ in flight

    def _accept(self, costs: Sequence[int]) -> list[_Work]:
        with self._changed:
            if self._closing:
                raise busy("this server is about to stop: send it to another, or again in a moment")
            if self._in_flight + sum(costs) > self._max_in_flight:
                raise busy(f"{self._in_flight} images are in flight already: send it again in a moment")
            self._in_flight += sum(costs)
            self._metrics.depth.set(self._in_flight)
        return [_Work(answer=Future(), cost=cost) for cost in costs]

    def _finish(self, work: _Work, error: BaseException | None = None) -> None:
        """Give the answer, if anybody waits for it still, and let go."""
        self._release(work)
        if not work.begun and not work.answer.set_running_or_notify_cancel():
            return
        if error is not None:
            work.answer.set_exception(error)
            return
        qualities = [self._scorer.explain_no_face(one) for one in work.entry.results()]
        self._metrics.answered(qualities)
        work.answer.set_result(qualities)

    def _release(self, work: _Work) -> None:
        with self._changed:
            self._in_flight -= work.cost
            self._metrics.depth.set(self._in_flight)

    # ------------------------------------------------------------ threads

    def _locate(self, work: _Work, image: bytes, all_faces: bool, reasons: bool) -> None:
        """In the pool: decode one image and find its faces, unless nobody waits for it any more."""
        work.ends_to_wait()
        if work.answer.cancelled():
            self._finish(work)
            return
        try:
            locate = partial(self._scorer.locate, all_faces=all_faces, reasons=reasons)
            work.entry = entry_of(image, locate)
        except Exception as error:
            log.exception("an image could not be located")
            self._finish(work, error)
            return
        self._to_engine(work)

    def _to_engine(self, work: _Work) -> None:
        if not work.entry.found:
            self._finish(work)
            return
        work.begins_to_wait()
        with self._changed:
            self._ready.append(work)
            self._changed.notify_all()

    def _run(self) -> None:
        """The engine's thread: passes as long as there is anything, or may be."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._ready or self._closed)
                if not self._ready:
                    return
                batch = self._next_batch()
            if batch:
                self._judge(batch)

    def _next_batch(self) -> list[_Work]:
        """What fills the next pass, taken off the queue; what nobody waits for any more is dropped."""
        batch: list[_Work] = []
        n_faces = 0
        while self._ready and n_faces < self._batch_size:
            work = self._ready.popleft()
            if not work.begun:
                work.begun = work.answer.set_running_or_notify_cancel()
                if not work.begun:
                    self._release(work)
                    continue
                work.ends_to_wait()
                self._metrics.waited(work.waited)
            batch.append(work)
            n_faces += len(work.entry.waiting())
        return batch

    def _judge(self, batch: list[_Work]) -> None:
        """One pass; what has faces left goes to the end of the queue, lest everybody wait for one album."""
        wanted = min(self._batch_size, sum(len(work.entry.waiting()) for work in batch))
        size = next(size for size in _sizes(self._batch_size) if size >= wanted)
        began = time.monotonic()
        try:
            judge_batch([work.entry for work in batch], self._scorer.qualities, size)
        except Exception as error:  # the engine's thread must outlive whatever a pass does
            log.exception("a forward pass failed")
            for work in batch:
                self._finish(work, error)
            return
        self._metrics.passed(wanted, time.monotonic() - began)
        for work in batch:
            if work.entry.done:
                self._finish(work)
            else:
                self._to_engine(work)


def _sizes(batch_size: int) -> list[int]:
    """The sizes of a pass, which a run time compiles each: powers of two, and ``batch_size`` itself.

    >>> _sizes(12)
    [1, 2, 4, 8, 12]
    """
    sizes = [1]
    while 2 * sizes[-1] < batch_size:
        sizes.append(2 * sizes[-1])
    return [*sizes, batch_size] if batch_size > 1 else sizes
