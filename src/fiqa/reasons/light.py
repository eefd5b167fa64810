"""A crop in → how its face is lit, out.

The standard measures on the hull of 98 landmarks in a picture of 616 pixels; here an ellipse of the 112-pixel
crop stands for it, without a mask of what is occluded.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..types import CROP_SIZE, ImageArray, Measured
from .components import measured

_ROWS, _COLUMNS = np.ogrid[:CROP_SIZE, :CROP_SIZE]
_OVAL = ((_COLUMNS - 56) / 34) ** 2 + ((_ROWS - 74) / 40) ** 2 <= 1
FACE: NDArray[np.intp] = np.flatnonzero(_OVAL & (_ROWS >= 40))
"""Indices of the face's pixels in a flattened crop: an ellipse without the forehead."""

_CHEEKS = (np.s_[72:82, 38:48], np.s_[72:82, 64:74])
_SIDES = (np.s_[56:95, 30:55], np.s_[56:95, 58:83])
_WHITE = 250
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
_CODE = np.arange(256) / 255
_LINEAR: NDArray[np.float32] = np.where(
    _CODE <= 0.04045, _CODE / 12.92, ((_CODE + 0.055) / 1.055) ** 2.4
).astype(np.float32)
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)


def luma_of(crop: ImageArray) -> NDArray[np.float32]:
    """(112, 112) luma, 0 … 255, of a crop (112, 112, 3) RGB."""
    luma: NDArray[np.float32] = crop @ _LUMA
    return luma


def measure_light(crop: ImageArray, luma: NDArray[np.float32]) -> dict[str, Measured]:
    """Measures of exposure, contrast and evenness of a crop (112, 112, 3) uint8 RGB with its luma."""
    linear = _LINEAR[crop] @ _LUMINANCE  # (112, 112) in [0, 1]
    levels = np.rint(255 * linear).astype(np.uint8)
    face = crop.reshape(-1, 3)[FACE]
    p5, p95, p99 = _percentiles(luma.reshape(-1)[FACE])
    burnt = float((face.min(axis=1) >= _WHITE).mean())
    contrast = (p95 - p5) / (p95 + p5) if p95 + p5 else 0.0
    left, right = (float(linear[side].mean()) + 1e-4 for side in _SIDES)
    return {
        "highlights": Measured(value=burnt, unit="share of the face"),
        "brightest": Measured(value=p99, unit="luma of 255"),
        "contrast": Measured(value=contrast, unit="(p95 − p5)/(p95 + p5)"),
        "side_ratio": Measured(value=math.log2(left / right), unit="stops"),
        **_components(levels.reshape(-1)[FACE]),
        **_cheeks(crop, levels),
    }


def _percentiles(luma: NDArray[np.float32]) -> tuple[float, float, float]:
    ordered = np.sort(luma)
    p5, p95, p99 = (float(ordered[round(share * (len(ordered) - 1))]) for share in (0.05, 0.95, 0.99))
    return p5, p95, p99


def _components(levels: NDArray[np.uint8]) -> dict[str, Measured]:
    """Of the face's luminance, linear light in 256 levels."""
    counts = np.bincount(levels, minlength=256) / len(levels)
    places = np.arange(256) / 255
    mean = float(counts @ places)
    present = counts[counts > 0]
    return {
        "luminance_mean": measured("LuminanceMean", mean, "of 1"),
        "luminance_variance": measured("LuminanceVariance", float(counts @ (places - mean) ** 2), "of 1"),
        "under_exposed": measured("UnderExposurePrevention", float(counts[:26].sum()), "share of the face"),
        "over_exposed": measured("OverExposurePrevention", float(counts[247:].sum()), "share of the face"),
        "dynamic_range": measured("DynamicRange", float(-(present * np.log2(present)).sum()) + 0.0, "bits"),
    }


def _cheeks(crop: ImageArray, levels: NDArray[np.uint8]) -> dict[str, Measured]:
    left, right = (np.bincount(levels[place].reshape(-1) // 4, minlength=64) / 100 for place in _CHEEKS)
    colour = np.mean([crop[place].reshape(-1, 3).mean(axis=0) for place in _CHEEKS], axis=0)
    shared = float(np.minimum(left, right).sum())
    grey = bool((crop[..., 0] == crop[..., 1]).all() and (crop[..., 1] == crop[..., 2]).all())
    found = {"illumination_uniformity": measured("IlluminationUniformity", shared, "share in common")}
    distance = measured("NaturalColour", _from_skin(colour), "ΔE")
    return found | {"colour_distance": replace(distance, scalar=0) if grey else distance}


def _from_skin(rgb: NDArray[np.float64]) -> float:
    """Distance of a mean colour, 0 … 255, from those that skin has, in CIELAB's a and b (D50)."""
    code = rgb / 255
    linear = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
    x, y, z = _lightness(_TO_XYZ @ linear / _WHITE_POINT)
    a, b = 500 * (x - y), 200 * (y - z)
    if a < 0 or b < 0:
        return 100.0
    return math.hypot(max(5 - a, 0, a - 25), max(5 - b, 0, b - 35))


_TO_XYZ = np.array(
    [[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169], [0.0139322, 0.0971045, 0.7141733]]
)  # linear sRGB to CIE XYZ, adapted to D50 after Bradford
_WHITE_POINT = _TO_XYZ.sum(axis=1)


def _lightness(ratio: NDArray[np.float64]) -> NDArray[np.float64]:
    """CIE's cube root with its straight foot."""
    cubed: NDArray[np.float64] = np.where(
        ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29
    )
    return cubed
