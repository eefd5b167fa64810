"""The batcher: many requests share passes, results do not depend on it, places are bounded and come back."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError, wait

import numpy as np
import pytest

from fiqa import Scorer
from fiqa.examples import example_crops
from fiqa.serve.batcher import Batcher
from fiqa.serve.metrics import Metrics
from fiqa.serve.problems import Problem


class Slow:
    """A scorer whose passes wait until they may go on, and are counted."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer
        self.go, self.begun = threading.Event(), threading.Semaphore(0)
        self.sizes: list[int] = []

    def __getattr__(self, name):
        return getattr(self._scorer, name)

    def qualities(self, crops, found):
        self.sizes.append(sum(bool(crop.any()) for crop in crops))
        self.begun.release()
        assert self.go.wait(30)
        return self._scorer.qualities(crops, found)


@pytest.fixture(scope="module")
def shallow() -> Scorer:
    return Scorer(methods=["attn:block=0"], engine="onnxruntime", threads=2, align="none")


@pytest.fixture
def make(shallow):
    made = []

    def batcher(scorer=shallow, *, batch_size=4, max_in_flight=16):
        made.append(Batcher(scorer, Metrics(shallow), batch_size=batch_size, max_in_flight=max_in_flight))
        made[-1].start()
        return made[-1]

    yield batcher
    for one in made:
        one.close()


def crops(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 255, (n, 112, 112, 3), dtype=np.uint8)


def test_results_are_the_scorers_own_whatever_shares_a_pass(make, shallow, crop_png):
    many = crops(7)
    expected = shallow.score_crops(many)["attn:block=0"]
    batcher = make()
    answers = [batcher.crops(many[i : i + 1]) for i in range(7)] + [batcher.crops(many)]
    (image,) = batcher.images([crop_png])
    found = [one.result(30)[0].raw["attn:block=0"] for one in answers[:7]]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    np.testing.assert_allclose([q.raw["attn:block=0"] for q in answers[7].result(30)], expected, rtol=1e-5)
    assert image.result(30)[0].raw == pytest.approx(shallow.score(crop_png).raw, rel=1e-5)


def test_what_waits_goes_into_one_pass(make, shallow):
    slow = Slow(shallow)
    batcher = make(slow)
    first = batcher.crops(crops(1))
    assert slow.begun.acquire(timeout=30)
    others = [batcher.crops(crops(1, seed)) for seed in range(1, 7)]
    slow.go.set()
    wait([first, *others], timeout=30)
    assert slow.sizes == [1, 4, 2]


def test_a_large_request_lets_others_in_between(make, shallow):
    slow = Slow(shallow)
    batcher = make(slow)
    album = batcher.crops(crops(40))
    assert slow.begun.acquire(timeout=30)
    single = batcher.crops(crops(1, 1))
    slow.go.set()
    assert single.result(30)[0].ok
    assert not album.done()
    assert [quality.face_index for quality in album.result(30)] == list(range(40))


def test_places_are_bounded_given_back_and_taken_all_or_none(make, shallow, crop_png):
    slow = Slow(shallow)
    batcher = make(slow, max_in_flight=4)
    taken = batcher.images([crop_png] * 3)
    with pytest.raises(Problem) as full:
        batcher.images([crop_png] * 2)
    assert full.value.status == 503
    assert full.value.headers == {"retry-after": "1"}
    taken += batcher.images([crop_png])
    slow.go.set()
    wait(taken, timeout=30)
    assert all(one.result(30)[0].ok for one in batcher.images([crop_png] * 4))
    with pytest.raises(Problem) as never:
        batcher.crops(np.zeros((17, 112, 112, 3), np.uint8))
    assert never.value.status == 413


def test_what_nobody_waits_for_is_not_computed(make, shallow):
    slow = Slow(shallow)
    batcher = make(slow, max_in_flight=3)
    first = batcher.crops(crops(1))
    assert slow.begun.acquire(timeout=30)
    left, kept = batcher.crops(crops(2)), batcher.crops(crops(1))
    assert left.cancel()
    slow.go.set()
    wait([first, kept], timeout=30)
    assert slow.sizes == [1, 1]
    with pytest.raises(CancelledError):
        left.result(0)
    assert all(one.result(30) for one in [batcher.crops(crops(1)) for _ in range(3)])  # its place is free


def test_a_failing_pass_fails_its_own_requests_only(make, shallow):
    class Failing(Slow):
        def qualities(self, crops, found):
            if (crops == 13).all(axis=(1, 2, 3)).any():
                raise RuntimeError("a kernel crashed")
            return self._scorer.qualities(crops, found)

    batcher = make(Failing(shallow))
    bad = batcher.crops(np.full((1, 112, 112, 3), 13, np.uint8))
    with pytest.raises(RuntimeError, match="a kernel crashed"):
        bad.result(30)
    assert batcher.ready
    assert batcher.crops(example_crops()).result(30)[0].ok


def test_closing_answers_what_was_accepted_and_takes_no_more(make, shallow, crop_png):
    slow = Slow(shallow)
    batcher = make(slow)
    accepted = [*batcher.images([crop_png] * 3), batcher.crops(crops(9))]
    closing = threading.Thread(target=batcher.close)
    closing.start()
    slow.go.set()
    closing.join(30)
    assert all(quality.ok for one in accepted for quality in one.result(0))
    assert not batcher.ready
    with pytest.raises(Problem, match="about to stop"):
        batcher.images([crop_png])
