"""Truncated JPEGs: refused, or read with a remark on how much is missing; and JPEGs at a reduced size."""

from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image

from fiqa import Scorer
from fiqa.errors import ImageError
from fiqa.examples import example_paths
from fiqa.images import Limits, load, read
from images.files import encoded, scene

TOLERANT = Limits(tolerant=True)
PHOTO = Image.open(example_paths()[0]).convert("RGB")  # 512 × 512


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("options", [{}, {"restart_marker_rows": 2}], ids=["plain", "restart markers"])
def test_what_is_missing_is_said_as_it_is(share: float, options: dict[str, int]) -> None:
    whole = encoded(PHOTO, "JPEG", quality=90, **options)
    picture = read(whole[: int(len(whole) * share)], limits=TOLERANT)
    said = re.fullmatch(
        r"the given image is truncated: the lower (\d+)% of the picture is missing", picture.remark
    )
    missing = int(said[1]) / 100
    rows = round(512 * (1 - missing))
    same = (picture.pixels == load(whole)).all(axis=(1, 2))
    assert same[: rows - 16].all()  # what is said to be there is there, but for the seam of one block
    assert not same[rows + 16 :].any()


def test_of_a_progressive_one_the_rest_may_be_coarse() -> None:
    whole = encoded(PHOTO, "JPEG", progressive=True)
    picture = read(whole[: len(whole) // 2], limits=TOLERANT)
    assert picture.remark.endswith("is missing or coarse")
    assert np.abs(picture.pixels - np.asarray(PHOTO, float)).mean() < 15


def test_without_tolerance_or_any_row_it_is_unreadable() -> None:
    whole = encoded(PHOTO, "JPEG")
    for data, limits in ((whole[: len(whole) // 2], Limits()), (whole[:700], TOLERANT)):
        with pytest.raises(ImageError, match="truncated") as caught:
            read(data, limits=limits)
        assert caught.value.status == "unreadable"


def test_a_whole_file_has_no_remark() -> None:
    assert read(example_paths()[0], limits=TOLERANT).remark == ""


def test_the_row_says_how_much_is_missing() -> None:
    whole = encoded(PHOTO, "JPEG")
    scorer = Scorer(align="none", methods="attn", limits=TOLERANT)
    quality = scorer.score(whole[: len(whole) // 2])
    assert quality.ok
    assert "of the picture is missing" in quality.reason
    assert scorer.score(whole).reason == ""


# ---------------------------------------------------------------- reduced


@pytest.mark.parametrize(("at_least", "scale"), [(2000, 1), (1600, 1), (800, 0.5), (400, 0.25), (10, 0.125)])
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_large_jpeg_can_be_read_at_a_part_of_its_size(
    at_least: int, scale: float, orientation: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(scene().resize((1601, 1200)), "JPEG", exif=exif)
    full, picture = load(data), read(data, at_least=at_least)
    assert picture.scale == scale
    assert max(picture.pixels.shape) >= min(at_least, 1601)
    for side, whole in zip(picture.pixels.shape[:2], full.shape[:2], strict=True):
        assert side == int(np.ceil(whole * scale))
    reduced = Image.fromarray(full).resize(picture.pixels.shape[1::-1], Image.Resampling.BOX)
    assert np.abs(np.asarray(reduced, float) - picture.pixels).mean() < 6


def test_other_formats_are_never_reduced() -> None:
    picture = read(encoded(scene().resize((1600, 1200)), "PNG"), at_least=100)
    assert picture.scale == 1
    assert picture.pixels.shape == (1200, 1600, 3)
