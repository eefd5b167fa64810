"""The scheduling of a stream, with functions in the place of decoder and network."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from fiqa.errors import DataError, ImageError
from fiqa.stream import Located, Stream
from fiqa.types import Quality

CROP = np.zeros((112, 112, 3), dtype=np.uint8)


class Work:
    """A decoder and a network that count how many of their calls run at once."""

    def __init__(self, *, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.most: dict[str, int] = {}
        self.threads: set[int] = set()
        self._running = {"locate": 0, "judge": 0}
        self._lock = threading.Lock()

    def _count(self, what: str, step: int) -> None:
        with self._lock:
            self._running[what] += step
            for name, n in (*self._running.items(), ("all", sum(self._running.values()))):
                self.most[name] = max(self.most.get(name, 0), n)

    def locate(self, image: Any) -> list[Located]:
        """``n``: a picture of n faces, which are told apart by their remark; -1: none that can be read."""
        self._count("locate", 1)
        time.sleep(self.seconds / 4)
        self._count("locate", -1)
        number, n_faces = image
        if n_faces < 0:
            raise ImageError("unreadable", f"{number} is damaged")
        return [Located(None, CROP, f"{number}/{i}") for i in range(n_faces)]

    def judge(self, crops: np.ndarray, found: list[Located]) -> list[Quality]:
        self._count("judge", 1)
        self.threads.add(threading.get_ident())
        time.sleep(self.seconds * (1 + len(found[0].remark) % 3))  # so that they do not end in their order
        self._count("judge", -1)
        return [Quality(status="ok", crop=crop) for crop in crops]


def stream(work: Work, batch_size: int, threads: int, streams: int | None) -> Stream:
    return Stream(
        locate=work.locate, judge=work.judge, batch_size=batch_size, threads=threads, streams=streams
    )


def expected(images: list[tuple[int, int]]) -> list[str]:
    return [
        text
        for number, n in images
        for text in (
            [f"{number}/{i}" for i in range(n)] or [f"{number} is damaged" if n < 0 else "no face was found"]
        )
    ]


@pytest.mark.parametrize("batch_size", [1, 4, 5])
@pytest.mark.parametrize(("threads", "streams"), [(1, None), (3, None), (1, 1), (2, 2), (4, 3)])
def test_the_order_is_kept_however_the_passes_end(threads, streams, batch_size):
    images = [(number, (1, 0, 3, 1, -1, 11, 1)[number * number % 7]) for number in range(60)]
    found = stream(Work(seconds=0.001), batch_size, threads, streams).run(images)
    assert [quality.reason for quality in found] == expected(images)


def test_passes_run_side_by_side_and_all_work_stays_within_the_threads():
    work = Work(seconds=0.01)
    found = list(stream(work, 2, 3, 3).run((number, 1) for number in range(80)))
    assert len(found) == 80
    assert work.most["judge"] == 3
    assert work.most["all"] == 3


def test_an_engine_without_streams_is_asked_by_the_caller_alone():
    work = Work(seconds=0.001)
    found = list(stream(work, 2, 3, None).run((number, 1) for number in range(40)))
    assert len(found) == 40
    assert work.threads == {threading.get_ident()}
    assert work.most["judge"] == 1


@pytest.mark.parametrize("n_faces", [0, 1, 3])
def test_little_is_held_however_long_a_pass_takes(n_faces):
    work, batch_size, threads, streams = Work(seconds=0.02), 4, 2, 2
    pulled = 0

    def source() -> Iterator[tuple[int, int]]:
        nonlocal pulled
        for number in itertools.count():
            pulled += 1
            yield number, 1 if number == 0 else n_faces

    ahead = (streams + 1) * batch_size + threads + 2 * streams * batch_size + batch_size
    most = ahead if n_faces else 16 * batch_size * 2 * streams + ahead
    run = stream(work, batch_size, threads, streams).run(source())
    for done, quality in enumerate(itertools.islice(run, 300), start=1):
        assert pulled - int(quality.reason.split("/")[0] if n_faces else done) <= most


@pytest.mark.parametrize("pause", [0.0, 0.03])  # of the reader: passes are over before it asks
@pytest.mark.parametrize("streams", [None, 2])
def test_what_a_pass_raises_comes_after_the_results_before_it(streams, pause):
    work = Work()

    def judge(crops: np.ndarray, found: list[Located]) -> list[Quality]:
        if "9/0" in [one.remark for one in found]:
            raise DataError("it can't be run")
        time.sleep(0.01)
        return work.judge(crops, found)

    run = Stream(locate=work.locate, judge=judge, batch_size=4, threads=2, streams=streams).run(
        (number, 1) for number in range(99)
    )
    for number in range(8):
        assert next(run).reason == f"{number}/0"
        time.sleep(pause)
    with pytest.raises(DataError, match="can't be run"):
        next(run)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("fiqa-stream")]
