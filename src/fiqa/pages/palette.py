"""The colours of patch maps: a value → a hue of constant lightness; a face and its map → the face tinted.

The photograph keeps lightness for itself, and a map has only hue and saturation: from blue (counts less) over
grey to orange (counts more). So a dark photo is never taken for a low value. Blue and orange lie on the axis
that people with a red or green deficiency see in full; with a blue one they still differ in red. Lightness
and hue are those of OKLab (Ottosson, 2020, https://bottosson.github.io/posts/oklab).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from ..errors import UsageError
from ..types import FloatArray, ImageArray

Colours = NDArray[np.float64]

_TO_CONES = np.array(
    [
        (0.4122214708, 0.5363325363, 0.0514459929),
        (0.2119034982, 0.6806995451, 0.1073969566),
        (0.0883024619, 0.2817188376, 0.6299787005),
    ]
)
_TO_LAB = np.array(
    [
        (0.2104542553, 0.7936177850, -0.0040720468),
        (1.9779984951, -2.4285922050, 0.4505937099),
        (0.0259040371, 0.7827717662, -0.8086757660),
    ]
)
_PARTS = np.arange(256) / 255
_LINEAR = np.where(_PARTS <= 0.04045, _PARTS / 12.92, ((_PARTS + 0.055) / 1.055) ** 2.4)
_FINE = np.linspace(0, 1, 1 << 14)  # fine enough to give each of the 256 values back
_ENCODED: ImageArray = np.rint(
    255 * np.where(_FINE <= 0.0031308, 12.92 * _FINE, 1.055 * _FINE ** (1 / 2.4) - 0.055)
).astype(np.uint8)
_LIGHTNESS = 0.7  # of the scale: in its middle, and inside sRGB for both hues
_LOW, _HIGH = np.array((-0.0352, -0.1362)), np.array((0.0842, 0.1384))  # (a, b): blue, orange
OPACITY = 0.6  # unless asked otherwise: the face can be recognised, and a black photo is still tinted
_FULL = 0.5  # the opacity from which the hues are at full strength


def oklab(rgb: ArrayLike) -> Colours:
    """sRGB (..., 3), whole numbers from 0 to 255 → OKLab (..., 3): lightness in [0, 1], a, b."""
    linear = _LINEAR[np.asarray(rgb, np.intp)]
    lab: Colours = np.cbrt(linear @ _TO_CONES.T) @ _TO_LAB.T
    return lab


def srgb(lab: Colours) -> ImageArray:
    """OKLab (..., 3) → sRGB (..., 3) uint8; what lies outside sRGB is cut off."""
    cones = lab @ np.linalg.inv(_TO_LAB).T
    linear = np.clip(cones * cones * cones @ np.linalg.inv(_TO_CONES).T, 0, 1)
    return _ENCODED[np.rint((len(_ENCODED) - 1) * linear).astype(np.intp)]


def _hues(level: NDArray[np.float64]) -> Colours:
    """(...,) in [0, 1] → (..., 2): a, b."""
    side = 2 * level[..., None] - 1
    hues: Colours = np.where(side < 0, -side * _LOW, side * _HIGH)
    return hues


COLOURS: ImageArray = srgb(
    np.column_stack([np.full(256, _LIGHTNESS), _hues(np.linspace(0, 1, 256, dtype=np.float64))])
)
"""(256, 3) RGB, from what counts less to what counts more."""


def colours(values: ArrayLike, vmin: float, vmax: float) -> ImageArray:
    """Colours (..., 3) uint8 RGB of ``values`` (...); ``vmin`` is blue, ``vmax`` orange."""
    return COLOURS[np.rint(255 * levels(values, vmin, vmax)).astype(np.intp)]


def levels(values: ArrayLike, vmin: float, vmax: float) -> NDArray[np.float64]:
    """Where values lie on a scale: (...) in [0, 1]; all are 0 on a scale of no length."""
    found: NDArray[np.float64] = (np.asarray(values, dtype=np.float64) - vmin) / (vmax - vmin or 1.0)
    return np.clip(found, 0, 1)


def colour_range(maps: Sequence[FloatArray]) -> tuple[float, float]:
    """One colour scale for several patch maps: their least and greatest value.

    Raises:
        UsageError: there is no map.
    """
    if not maps:
        raise UsageError("a colour scale needs at least one patch map, but got none")
    return min(float(m.min()) for m in maps), max(float(m.max()) for m in maps)


def tinted(crop: ImageArray, level: NDArray[np.float64], *, size: int, opacity: float) -> Image.Image:
    """A face in grey, tinted by the squares of a map.

    Args:
        crop: (H, W, 3) uint8 RGB.
        level: (h, w) in [0, 1], where each patch lies on the scale.
        size: side of the picture in pixels.
        opacity: from 0 (the grey face) to 1 (only the map).
    """
    face = Image.fromarray(crop).resize((size, size), Image.Resampling.BICUBIC)
    lightness = oklab(np.asarray(face))[..., :1]  # (size, size, 1)
    hues = _hues(level).astype(np.float32)  # (h, w, 2)
    squares = [
        np.asarray(Image.fromarray(hue).resize((size, size), Image.Resampling.NEAREST))
        for hue in np.moveaxis(hues, -1, 0)
    ]
    shade = (1 - opacity) * lightness + opacity * _LIGHTNESS
    return Image.fromarray(srgb(np.dstack([shade, min(1.0, opacity / _FULL) * np.dstack(squares)])))
