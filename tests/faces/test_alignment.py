"""Alignment against independent references."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fiqa.errors import ImageError, UsageError
from fiqa.examples import example_crops
from fiqa.faces import TEMPLATE, align, similarity, whole_as_crop
from fiqa.images import load

# ---------------------------------------------------------------- similarity


@settings(deadline=None)
@given(
    angle=st.floats(-3.1, 3.1),
    scale=st.floats(0.05, 50),
    shift=st.tuples(st.floats(-900, 900), st.floats(-900, 900)),
)
def test_similarity_recovers_a_known_transform(
    angle: float, scale: float, shift: tuple[float, float]
) -> None:
    rotation = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = (TEMPLATE - np.array(shift)) @ np.linalg.inv(rotation).T
    np.testing.assert_allclose(similarity(points), np.column_stack([rotation, shift]), rtol=1e-5, atol=1e-4)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10**6))
def test_similarity_is_the_least_squares_solution(seed: int) -> None:
    points = np.random.default_rng(seed).normal(size=(5, 2)) * 30 + TEMPLATE
    # A similarity (a, -b; b, a) + shift is linear in its four numbers: an ordinary least-squares problem.
    x, y = points.T
    rows = np.concatenate(
        [
            np.stack([x, -y, np.ones(5), np.zeros(5)], axis=1),
            np.stack([y, x, np.zeros(5), np.ones(5)], axis=1),
        ]
    )
    a, b, u, v = np.linalg.lstsq(rows, np.concatenate(TEMPLATE.astype(float).T), rcond=None)[0]
    np.testing.assert_allclose(similarity(points), [[a, -b, u], [b, a, v]], rtol=1e-6, atol=1e-6)


def test_similarity_never_mirrors() -> None:
    mirrored = TEMPLATE * (-1, 1)
    assert np.linalg.det(similarity(mirrored)[:, :2]) > 0


@pytest.mark.parametrize("points", [np.zeros((5, 2)), np.zeros((5, 3)), np.zeros((4, 2))])
def test_points_that_fix_no_transform_are_refused(points: np.ndarray) -> None:
    with pytest.raises(UsageError):
        similarity(points)


# ---------------------------------------------------------------- align


def scene(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A smooth colour picture as a function of the place in a crop; pixel centres at whole numbers."""
    return np.stack([127 + 90 * np.sin(x / 9) * np.cos(y / 11), 127 + 90 * np.sin((x + y) / 8), 2 * x], -1)


@pytest.mark.parametrize("angle", [0.0, 0.4, -2.0])
@pytest.mark.parametrize("scale", [0.6, 1.0, 1.7, 2.5, 6.0])
def test_align_puts_every_pixel_where_it_belongs(angle: float, scale: float) -> None:
    rotation = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    side = int(112 * scale * 2)
    centre = np.array([55.5, 55.5])
    middle = np.array([side / 2, side / 2])
    landmarks = (TEMPLATE - centre) @ rotation.T + middle
    ys, xs = np.mgrid[:side, :side].astype(float)
    back = (np.stack([xs, ys], -1) - middle) @ np.linalg.inv(rotation).T + centre
    image = np.clip(np.rint(scene(back[..., 0], back[..., 1])), 0, 255).astype(np.uint8)
    ys, xs = np.mgrid[:112, :112].astype(float)
    expected = np.clip(scene(xs, ys), 0, 255)
    crop = align(image, landmarks)
    assert crop.shape == (112, 112, 3)
    assert crop.dtype == np.uint8
    assert np.abs(crop - expected).mean() < 1.0  # a shift by half a pixel gives 3


def test_align_averages_when_it_shrinks() -> None:
    image = np.random.default_rng(0).integers(0, 256, (1200, 1200, 3), dtype=np.uint8)
    crop = align(image, TEMPLATE * 8 + 100).astype(float)
    assert crop[2:-2, 2:-2].std() < 15  # the noise itself has 74: without averaging it would stay
    assert abs(crop.mean() - 127.5) < 2


def test_align_is_black_outside_the_image() -> None:
    image = np.full((60, 60, 3), 200, np.uint8)
    crop = align(image, TEMPLATE - (90, 0))  # the image begins 90 pixels from the left
    assert crop[:, :89].max() == 0
    assert crop[:59, 91:].min() >= 199
    assert align(image, TEMPLATE * 6 + 5000).max() == 0


def test_align_leaves_an_aligned_crop_alone() -> None:
    crop = example_crops()[0]
    assert np.abs(align(crop, TEMPLATE).astype(int) - crop).max() <= 1


def test_landmarks_in_one_point_are_no_face() -> None:
    with pytest.raises(ImageError) as caught:
        align(np.zeros((50, 50, 3), np.uint8), np.ones((5, 2)))
    assert caught.value.status == "no_face"


def test_align_resamples_like_the_training_crops(shared: Path) -> None:
    """Crops of the same photographs, made elsewhere by the same template: only JPEG noise may differ."""
    import io
    import tarfile

    from fiqa.errors import FiqaError

    with np.load(shared / "data" / "lfw112-embeddings.npz") as file:
        landmarks = dict(zip(file["names"], file["landmarks250"].astype(np.float32), strict=True))
    photos: dict[str, np.ndarray] = {}
    with tarfile.open(shared / "data" / "lfw250-sample.tar") as tar:
        for member in tar:
            if member.isfile() and member.name.endswith(".jpg") and len(photos) < 8:
                name = "/".join(member.name.split("/")[-2:])
                file = tar.extractfile(member)
                if file is None:
                    raise FiqaError(member.name)
                photos[name] = load(file.read())
    differences = []
    with tarfile.open(shared / "data" / "lfw112.tar") as tar:
        for member in tar:
            name = "/".join(member.name.split("/")[-2:])
            if name in photos:
                file = tar.extractfile(member)
                assert file is not None
                theirs = np.asarray(Image.open(io.BytesIO(file.read()))).astype(int)
                differences.append(np.abs(align(photos[name], landmarks[name]) - theirs).mean())
    assert len(differences) == 8
    assert np.mean(differences) < 2.2  # of 255; half a pixel off or bicubic would give 2.2 and more


# ---------------------------------------------------------------- whole images


def test_a_whole_image_becomes_a_crop_whatever_its_shape() -> None:
    wide = np.zeros((50, 400, 3), np.uint8)
    wide[:, 200:] = 200
    crop = whole_as_crop(wide)
    assert crop.shape == (112, 112, 3)
    assert crop[:, :50].max() < 5
    assert crop[:, 62:].min() > 195
    noise = np.random.default_rng(0).integers(0, 256, (1120, 1120, 3), dtype=np.uint8)
    assert whole_as_crop(noise).std() < 12  # the noise itself has 74: averaged, not sampled
    assert whole_as_crop(crop) is crop
