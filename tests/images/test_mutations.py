"""Thousands of damaged, laden and lying files: each gives a picture or one sentence, and nothing hangs.

``make test-images`` runs it with 2,000 mutated files in place of 150, and states the peak memory.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections import Counter

import numpy as np
import pytest

from fiqa import Scorer
from fiqa.errors import ImageError
from fiqa.images import Limits, load
from images.files import SIZE, good_files, laden_files, mutated_files, special_files

COUNT = int(os.environ.get("FIQA_TEST_IMAGES", "150"))
LIMITS = Limits(max_pixels=10_000_000, timeout=20)
BAD = {"unreadable", "too_large", "failed"}


def outcome(data: bytes) -> str:
    """The status; anything but a picture or an ImageError is the test's failure."""
    try:
        pixels = load(data, limits=LIMITS)
    except ImageError as error:
        return checked(error)
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 3
    assert pixels.shape[2] == 3
    return "ok"


def checked(error: ImageError) -> str:
    """The status of an error whose message is one sentence."""
    said = str(error)
    assert error.status in BAD
    assert "\n" not in said
    assert not said.endswith(".")
    assert len(said) < 400
    return error.status


@pytest.mark.parametrize("name", good_files())
def test_good_files_are_read(name: str) -> None:
    assert load(good_files()[name]).shape == (SIZE[1], SIZE[0], 3)


@pytest.mark.parametrize("name", laden_files())
def test_metadata_hides_no_pixels(name: str) -> None:
    plain = good_files()["plain.png" if name.endswith("png") else "plain.jpeg"]
    start = time.process_time()
    pixels = load(laden_files()[name], limits=Limits(timeout=None))
    np.testing.assert_array_equal(pixels, load(plain))
    assert time.process_time() - start < 2


@pytest.mark.parametrize("name", special_files())
def test_special_files_end_in_a_picture_or_a_sentence(name: str) -> None:
    start = time.perf_counter()
    outcome(special_files()[name])
    assert time.perf_counter() - start < LIMITS.timeout + 10


def test_mutated_files_end_in_a_picture_or_a_sentence(capfd: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("default")  # none may be hidden by a filter of this process
        counts = Counter(outcome(data) for _, data in mutated_files(COUNT))
    assert counts.total() == COUNT
    assert counts["ok"] > 0
    assert counts["unreadable"] > 0
    said = capfd.readouterr()
    assert said.err == ""  # neither Pillow nor libtiff says anything
    with capfd.disabled():
        if "FIQA_TEST_IMAGES" in os.environ:
            print(f"\n{COUNT} mutated files: {dict(counts)}; {_peaks()}")


def test_a_stream_of_them_gives_a_row_each(capfd: pytest.CaptureFixture[str]) -> None:
    scorer = Scorer(align="none", methods="attn", limits=LIMITS, threads=2)
    files = [data for _, data in mutated_files(COUNT)]
    files += [*good_files().values(), *laden_files().values(), *special_files().values()]
    start = time.perf_counter()
    qualities = list(scorer.stream(files, keep=()))
    seconds = time.perf_counter() - start
    assert len(qualities) == len(files)
    good = qualities[COUNT : COUNT + len(good_files()) + len(laden_files())]
    assert all(quality.ok for quality in good)
    assert all(quality.ok or (quality.status in BAD and quality.reason) for quality in qualities)
    with capfd.disabled():
        if "FIQA_TEST_IMAGES" in os.environ:
            counts = dict(Counter(quality.status for quality in qualities))
            print(f"\n{len(files)} files in a stream: {counts} in {seconds:.0f} s; {_peaks()}")


def _peaks() -> str:
    if sys.platform != "linux":
        return "peak memory is told on Linux only"
    from fiqa.images import worker

    peaks = {}
    for name, pid in {"here": "self", **{f"process {i}": w.pid for i, w in enumerate(worker._idle)}}.items():
        with open(f"/proc/{pid}/status") as file:
            peaks[name] = int(next(line for line in file if line.startswith("VmHWM")).split()[1]) // 1024
    return "peak " + ", ".join(f"{peak} MB {name}" for name, peak in peaks.items())
