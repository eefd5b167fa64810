"""Streams: order, bounded memory, independence of neighbours, threads."""

from __future__ import annotations

import io
import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.scorer.cases import SHALLOW

from fiqa.errors import UsageError


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png", compress_level=1)
    return file.getvalue()


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_order_is_kept_over_every_kind_of_input(batch_size, scorer, faces, tmp_path):
    path = tmp_path / "face.png"
    path.write_bytes(png(faces[2]))
    (tmp_path / "text.jpg").write_text("no image")
    inputs: list[tuple[Any, str, int | None]] = [
        (tmp_path / "nowhere.jpg", "missing", None),
        (faces[0], "ok", 0),
        (png(faces[1]), "ok", 1),
        (b"no image", "unreadable", None),
        (path, "ok", 2),
        (str(path), "ok", 2),
        (str(tmp_path / "text.jpg"), "unreadable", None),
        (Image.fromarray(faces[3]), "ok", 3),
        (bytearray(png(faces[4])), "ok", 4),
        (np.zeros((112, 112, 3), dtype=np.float32) + 2, "unreadable", None),
        (tmp_path, "unreadable", None),
        (faces[5], "ok", 5),
    ]
    expected = scorer.score_crops(faces)
    found = list(scorer.stream((item for item, _, _ in inputs), batch_size))
    assert [quality.status for quality in found] == [status for _, status, _ in inputs]
    for quality, (item, _, index) in zip(found, inputs, strict=True):
        assert quality.path == (str(item) if isinstance(item, (str, Path)) else None)
        if index is None:
            assert quality.score is None
            assert not quality.raw
            assert len(quality.reason) > 10
        else:
            assert not quality.reason
            np.testing.assert_array_equal(quality.crop, faces[index])
            for spec in SHALLOW:
                assert quality.raw[spec] == pytest.approx(expected[spec][index], rel=1e-5, abs=1e-5)


@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(9)), batch_size=st.integers(1, 12))
def test_a_result_depends_neither_on_neighbours_nor_on_the_batch_size(scorer, faces, order, batch_size):
    expected = list(scorer.stream(faces, 4))
    found = list(scorer.stream(faces[list(order)], batch_size))
    same = list(scorer.stream(faces[list(order)], 4))
    for place, index in enumerate(order):
        for spec in SHALLOW:
            wanted = expected[index].raw[spec]
            assert found[place].raw[spec] == pytest.approx(wanted, rel=1e-5, abs=1e-5)
            assert same[place].raw[spec] == wanted  # to the last bit where the batches have one shape
            np.testing.assert_array_equal(same[place].patch_map(spec), expected[index].patch_map(spec))


def test_a_stream_reads_little_ahead(scorer, faces):
    pulled = 0

    def source() -> Iterator[np.ndarray]:
        nonlocal pulled
        for number in itertools.count():
            pulled += 1
            yield faces[number % len(faces)]

    for done, _ in enumerate(itertools.islice(scorer.stream(source(), batch_size=4), 60), start=1):
        assert pulled - done <= 5 * 4 + scorer.threads  # two batches ahead, two in passes, one on its way out


def test_a_face_among_countless_bad_images_does_not_wait_for_a_full_batch(scorer, faces):
    pulled = 0

    def source() -> Iterator[Any]:
        nonlocal pulled
        for number in itertools.count():
            pulled += 1
            yield b"no image" if number else faces[0]

    stream = scorer.stream(source(), batch_size=4)
    assert next(stream).ok
    assert pulled < 100
    for done in range(2, 200):
        assert next(stream).status == "unreadable"
        assert pulled - done < 100


def test_a_stream_that_is_left_early_ends_its_threads(scorer, faces):
    stream = scorer.stream(itertools.cycle(faces), batch_size=2)
    next(stream)
    stream.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("fiqa-stream")]


def test_no_images_give_no_results(scorer):
    assert list(scorer.stream([])) == []
    empty = np.empty((0, 112, 112, 3), dtype=np.uint8)
    assert scorer.qualities(empty) == []
    assert {spec: values.shape for spec, values in scorer.score_crops(empty).items()} == dict.fromkeys(
        SHALLOW, (0,)
    )


def test_one_scorer_serves_several_threads(scorer, faces):
    expected = [scorer.score(crop).raw for crop in faces]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda crop: scorer.score(crop).raw, [*faces, *faces]))
    assert found == [*expected, *expected]


@pytest.mark.parametrize("wrong", [3, None, [1, 2]])
def test_what_can_t_hold_an_image_is_the_caller_s_mistake(wrong, scorer):
    with pytest.raises(UsageError, match=type(wrong).__name__):
        scorer.score(wrong)
