"""The colours of maps: lightness is the photograph's, hue the map's, and everybody tells the ends apart."""

from __future__ import annotations

import re
from importlib import resources

import numpy as np
import pytest

from fiqa.degradations import degrade
from fiqa.errors import UsageError
from fiqa.examples import example_crops
from fiqa.pages import COLOURS, colour_range, colours
from fiqa.pages.palette import levels, oklab, srgb, tinted

MAP = np.linspace(-1, 3, 196, dtype=np.float32).reshape(14, 14)

# Machado, Oliveira and Fernandes, 2009: what is seen without one kind of cone, on linear RGB
BLINDNESS = {
    "protan": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritan": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def test_oklab_gives_its_published_pairs():
    """The example of its author: XYZ D65 white is (1, 0, 0); and sRGB comes back as it was."""
    np.testing.assert_allclose(oklab([255, 255, 255]), [1, 0, 0], atol=1e-4)
    np.testing.assert_allclose(oklab([255, 0, 0]), [0.62796, 0.22486, 0.12585], atol=1e-4)
    np.testing.assert_allclose(oklab([0, 0, 255]), [0.45201, -0.03246, -0.31153], atol=1e-4)
    every = np.stack(np.meshgrid(*[np.arange(0, 256, 15)] * 3), axis=-1).astype(np.uint8)
    np.testing.assert_array_equal(srgb(oklab(every)), every)


def test_the_scale_has_one_lightness_and_its_middle_is_grey():
    lab = oklab(COLOURS)
    assert np.ptp(lab[:, 0]) < 0.01
    assert np.abs(lab[127:129, 1:]).max() < 0.005
    assert (np.diff(lab[:, 2]) > -0.002).all()  # from blue to yellow all the way


@pytest.mark.parametrize("kind", BLINDNESS)
def test_the_ends_and_the_middle_differ_for_every_colour_vision(kind):
    part = COLOURS[[0, 127, 255]] / 255
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.array(BLINDNESS[kind]).T, 0, 1)
    encoded = np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)
    lab = oklab(np.rint(255 * encoded))
    for one, other in ((0, 1), (1, 2), (0, 2)):
        assert np.linalg.norm(lab[one] - lab[other]) > 0.04  # a just noticeable difference is about 0.02


def test_the_style_sheet_draws_the_same_scale():
    style = (resources.files("fiqa.pages") / "style.css").read_text(encoding="utf-8")
    for name, place in (("low", 0), ("mid", 127), ("high", 255)):
        (found,) = re.findall(rf"--{name}: #(\w{{6}})", style)
        np.testing.assert_allclose([*bytes.fromhex(found)], COLOURS[place], atol=1)


def test_a_dark_photo_has_the_hues_of_a_light_one():
    crop = example_crops()[0]
    dark = degrade(crop, "dark", 0.8, seed=1)
    maps = levels(MAP, -1, 3)
    light, dimmed = (oklab(np.asarray(tinted(one, maps, size=112, opacity=0.55))) for one in (crop, dark))
    assert dimmed[..., 0].mean() < light[..., 0].mean() - 0.1  # the photo is still seen to be dark
    for one in (light, dimmed):
        assert (one[:30, :, 2].mean(), one[-30:, :, 2].mean()) == pytest.approx((-0.11, 0.11), abs=0.035)


def test_colours_clip_at_the_ends_and_a_flat_map_is_no_error():
    np.testing.assert_array_equal(colours([-9.0, 0.0, 1.0, 9.0], 0, 1), COLOURS[[0, 0, 255, 255]])
    np.testing.assert_array_equal(colours([4.0], 4, 4), COLOURS[[0]])


def test_one_scale_over_several_maps():
    assert colour_range([MAP, MAP + 2]) == (-1.0, 5.0)
    with pytest.raises(UsageError):
        colour_range([])
