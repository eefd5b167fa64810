"""Results one by one → a bar while they come, and a summary on stderr at their end."""

from __future__ import annotations

import statistics
import sys
import time
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any

from .common import say

if TYPE_CHECKING:
    from ..types import Quality


_BAR_SECONDS, _LINE_SECONDS = 0.1, 60.0
"""How often a bar moves on a terminal; how often a line is written where there is none."""


class Watch:
    """Sees every result of a run: ``with Watch() as watch: … watch(quality, n_begun, n_images)``.

    On a terminal's stderr it shows a bar; elsewhere, as in the log of a batch job, it writes a line a minute.
    Both have the share that is done, the rate, the time left and how many have no score. At the end it says
    why the first ``most`` bad images have none (0: the caller says it), and counts: images, statuses, the
    rate, the median score.
    """

    def __init__(self, most: int = 10) -> None:
        self._most = most
        self._start = time.perf_counter()
        self._n_images = 0
        self._reasons: list[str] = []
        self._statuses: Counter[str] = Counter()
        self._scores = array("f")
        self._first: tuple[float, int] | None = None  # when the first result came, and its image
        self._shown = self._start
        self._bar: Any = None

    def __call__(self, quality: Quality, n_begun: int, n_images: int | None) -> None:
        self._n_images = n_begun
        self._statuses[quality.status] += 1
        if quality.score is not None:
            self._scores.append(quality.score)
        if not quality.ok and len(self._reasons) < self._most:
            named = repr(quality.path) in quality.reason
            self._reasons.append(quality.reason if named else f"{quality.path}: {quality.reason}")
        now = time.perf_counter()
        self._first = self._first or (now, n_begun)
        on_terminal = sys.stderr.isatty()
        if now - self._shown >= (_BAR_SECONDS if on_terminal else _LINE_SECONDS):
            self._shown = now
            if on_terminal:
                self._move_bar(n_begun, n_images)
            else:
                say(", ".join([_done(n_begun, n_images), *self._pace(n_begun, n_images)]))

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

    def _move_bar(self, n_begun: int, n_images: int | None) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        if self._bar is None:
            columns = BarColumn(bar_width=20), TextColumn("{task.description}")
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True, refresh_per_second=5)
            self._bar.add_task("", total=n_images)
            self._bar.start()
        text = " · ".join([_done(n_begun, n_images), *self._pace(n_begun, n_images)])
        self._bar.update(self._bar.task_ids[0], completed=n_begun, description=text)

    def _pace(self, n_begun: int, n_images: int | None) -> list[str]:
        """The rate since the first result, the time left at this rate, and how many have no score."""
        found = []
        began, n_first = self._first or (self._start, 0)
        seconds = time.perf_counter() - began
        if seconds > 1 and n_begun > n_first:
            rate = (n_begun - n_first) / seconds
            found.append(f"{rate:.1f} a second")
            if n_images is not None:
                found.append(f"{timedelta(seconds=round((n_images - n_begun) / rate))} left")
        if n_bad := self._statuses.total() - self._statuses["ok"]:
            found.append(f"{n_bad:,} not scored")
        return found

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


def _done(n_begun: int, n_images: int | None) -> str:
    return f"{n_begun:,} of {n_images:,} ({n_begun / n_images:.0%})" if n_images else f"{n_begun:,} images"
