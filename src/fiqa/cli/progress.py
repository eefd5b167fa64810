"""Results one by one → a bar while they come, and a summary on stderr at their end."""

from __future__ import annotations

import statistics
import sys
import time
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any

from .common import say

if TYPE_CHECKING:
    from ..types import Quality


class Watch:
    """Sees every result of a run: ``with Watch() as watch: … watch(quality, n_begun, n_images)``.

    On a terminal's stderr it shows a bar, the rate and the time left. At the end it says why the first
    ``most`` bad images have no score (0: the caller says it), and counts: images, statuses, the rate, the
    median score.
    """

    def __init__(self, most: int = 10) -> None:
        self._most = most
        self._start = time.perf_counter()
        self._n_images = 0
        self._reasons: list[str] = []
        self._statuses: Counter[str] = Counter()
        self._scores = array("f")
        self._bar: Any = None

    def __call__(self, quality: Quality, n_begun: int, n_images: int | None) -> None:
        self._n_images = n_begun
        self._statuses[quality.status] += 1
        if quality.score is not None:
            self._scores.append(quality.score)
        if not quality.ok and len(self._reasons) < self._most:
            named = repr(quality.path) in quality.reason
            self._reasons.append(quality.reason if named else f"{quality.path}: {quality.reason}")
        if sys.stderr.isatty():
            self._show(n_begun, n_images)

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        if kind is None:
            self._summarise()

    def each(self, qualities: Iterable[Quality], n_images: int | None) -> Iterator[Quality]:
        """Pass results through and see them."""
        n_begun = 0
        for quality in qualities:
            yield quality
            n_begun += quality.face_index == 0
            self(quality, n_begun, n_images)

    def _show(self, n_begun: int, n_images: int | None) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        if self._bar is None:
            columns = (
                BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"), TimeRemainingColumn()
            )  # fmt: skip
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._bar.add_task("", total=n_images, rate="")
            self._bar.start()
        seconds = time.perf_counter() - self._start
        rate = f"{n_begun / seconds:.1f} images/s" if seconds > 1 else ""
        self._bar.update(self._bar.task_ids[0], completed=n_begun, rate=rate)

    def _summarise(self) -> None:
        for reason in self._reasons:
            say(reason)
        n_bad = self._statuses.total() - self._statuses["ok"]
        if self._most and n_bad > len(self._reasons):
            say(f"and {n_bad - len(self._reasons)} more, each with its status in the table")
        if self._n_images:
            seconds = time.perf_counter() - self._start
            counts = ", ".join(f"{n} {status}" for status, n in self._statuses.most_common())
            median = f"; median score {statistics.median(self._scores):.1f}" if self._scores else ""
            rate = f"{self._n_images / seconds:.1f} a second"
            say(f"{self._n_images} images in {seconds:.1f} s ({rate}): {counts}{median}")
