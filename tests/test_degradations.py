from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiqa.degradations import DEGRADATIONS, degrade, ladder
from fiqa.errors import UnknownName, UsageError


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    """A smooth, face-like picture with detail at several scales (no photograph needed)."""
    y, x = np.mgrid[0:112, 0:112] / 112
    rng = np.random.default_rng(5)
    base = 120 + 60 * np.exp(-((x - 0.5) ** 2 + (y - 0.5) ** 2) / 0.08)
    detail = 25 * np.sin(40 * x) * np.cos(31 * y) + rng.normal(0, 6, x.shape)
    return np.clip(np.stack([base + detail, base * 0.8 + detail, base * 0.7 - detail], -1), 0, 255).astype(
        np.uint8
    )


def test_the_eight_families() -> None:
    assert set(DEGRADATIONS) == {
        "blur",
        "downsample",
        "noise",
        "jpeg",
        "dark",
        "overexposed",
        "occlusion",
        "motion",
    }


@pytest.mark.parametrize("kind", DEGRADATIONS)
def test_ladder_starts_at_the_image_and_moves_away_from_it(image: np.ndarray, kind: str) -> None:
    severities, images = ladder(image, kind, n=6, seed=3)
    assert images.shape == (6, 112, 112, 3)
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images[0], image)
    error = ((images.astype(float) - image) ** 2).mean(axis=(1, 2, 3))
    assert np.all(np.diff(error) > 0), error
    assert severities[0] == 0
    assert severities[-1] == 1


@pytest.mark.parametrize("kind", DEGRADATIONS)
def test_seed_decides_everything_random(image: np.ndarray, kind: str) -> None:
    first = degrade(image, kind, 0.6, seed=1)
    np.testing.assert_array_equal(first, degrade(image, kind, 0.6, seed=1))
    differs = bool((first != degrade(image, kind, 0.6, seed=2)).any())
    assert differs == (kind in {"noise", "dark", "occlusion", "motion"})


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(DEGRADATIONS),
    severity=st.floats(0, 1),
    height=st.integers(8, 130),
    width=st.integers(8, 130),
    seed=st.integers(0, 2**31),
)
def test_any_shape_and_severity(kind: str, severity: float, height: int, width: int, seed: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    kept = image.copy()
    out = degrade(image, kind, severity, seed)
    assert out.shape == image.shape
    assert out.dtype == np.uint8
    assert not np.shares_memory(out, image)
    np.testing.assert_array_equal(image, kept)


@settings(max_examples=30, deadline=None)
@given(a=st.floats(0.01, 1), b=st.floats(0.01, 1), seed=st.integers(0, 1000))
def test_a_larger_occluder_covers_the_smaller_one(a: float, b: float, seed: int) -> None:
    low, high = sorted((a, b))
    # a value that no occluder colour can share in all three channels of every pixel
    image = np.random.default_rng(1).integers(0, 256, (112, 112, 3), dtype=np.uint8)
    small = (degrade(image, "occlusion", low, seed) != image).any(-1)
    large = (degrade(image, "occlusion", high, seed) != image).any(-1)
    assert (small & ~large).sum() <= 3  # a pixel that happens to have the colour looks uncovered


def test_occlusion_covers_sixty_percent(image: np.ndarray) -> None:
    covered = [(degrade(image, "occlusion", 1.0, s) != image).any(-1).mean() for s in range(20)]
    assert np.mean(covered) == pytest.approx(0.6, abs=0.03)


def test_blur_equals_a_gaussian_on_an_impulse() -> None:
    image = np.zeros((101, 101, 3), np.uint8)
    image[40:61, 40:61] = 255
    out = degrade(image, "blur", 0.6).astype(float)[..., 0]
    x = np.arange(101) - 50
    sigma = 0.6 * 101 / 20
    profile = np.zeros(101)
    for shift in range(-10, 11):
        profile += np.exp(-((x - shift) ** 2) / (2 * sigma**2)) / (sigma * np.sqrt(2 * np.pi))
    expected = 255 * np.outer(profile, profile)
    assert np.abs(out - expected).max() < 6  # Pillow approximates the Gaussian by box filters


def test_motion_keeps_light() -> None:
    """A constant picture stays as it is, and total light is kept away from the border."""
    flat = np.full((64, 64, 3), 77, np.uint8)
    np.testing.assert_array_equal(degrade(flat, "motion", 1.0, 4), flat)
    dot = np.zeros((112, 112, 3), np.uint8)
    dot[50:60, 50:60] = 200
    out = degrade(dot, "motion", 0.7, 4)
    assert float(out.sum()) == pytest.approx(float(dot.sum()), rel=0.02)


def test_wrong_use(image: np.ndarray) -> None:
    with pytest.raises(UnknownName, match="Did you mean 'blur'"):
        degrade(image, "blurr", 0.5)
    with pytest.raises(UsageError, match=r"severity must be from 0 .* but got 1\.5"):
        degrade(image, "blur", 1.5)
    with pytest.raises(UsageError, match=r"severity must be from 0 .* but got nan"):
        degrade(image, "blur", float("nan"))
    with pytest.raises(UsageError, match="uint8"):
        degrade(image.astype(np.float32), "blur", 0.5)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="at least 2"):
        ladder(image, "blur", n=1)


def test_fast_enough_for_training(image: np.ndarray) -> None:
    start = time.perf_counter()
    for kind in DEGRADATIONS:
        degrade(image, kind, 1.0)
    assert time.perf_counter() - start < 0.5  # about 15 ms unhindered
