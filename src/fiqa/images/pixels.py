"""A decoded image or an array of any kind → upright RGB uint8, a strip of rows at a time.

A large picture is so held once as it came and once as it goes, whatever has to be converted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from ..errors import ImageError
from ..types import ImageArray, as_bytes

BACKGROUND = 255  # what lies behind a transparent pixel: white, as on a page
_STRIP = 256  # rows
_TRANSPARENT = ("LA", "PA", "RGBA", "La", "RGBa")


def from_image(image: Image.Image, name: str, orientation: int = 1) -> ImageArray:
    """Pixels (H, W, 3) uint8 RGB of a decoded Pillow image of any mode, turned upright.

    Raises:
        ImageError: status ``unreadable``: numbers outside the range of 16 bits or, of floats, of 0 to 255.
    """
    mode = image.mode
    if mode.startswith("I;16") or mode in ("I", "F"):
        convert = _scaled(image, name)
    elif mode in _TRANSPARENT or "transparency" in image.info:
        convert = lambda strip: _over_background(np.asarray(strip.convert("RGBA")))  # noqa: E731
    else:
        convert = lambda strip: np.asarray(strip if mode == "RGB" else strip.convert("RGB"))  # noqa: E731
    width, height = image.size
    out = np.empty((width, height, 3) if orientation >= 5 else (height, width, 3), dtype=np.uint8)
    stored = _as_stored(out, orientation)
    for top in range(0, height, _STRIP):
        bottom = min(top + _STRIP, height)
        stored[top:bottom] = convert(image.crop((0, top, width, bottom)))
    return out


def from_array(array: np.ndarray) -> ImageArray:
    """Pixels (H, W, 3) uint8 RGB of an array that :func:`check_array` let through.

    Raises:
        ImageError: status ``unreadable``: integers outside 0 to 255, floats outside 0 to 1.
    """
    array = as_bytes(array)
    if array.dtype not in (np.uint8, np.uint16) and array.dtype.kind != "f":
        raise ImageError(
            "unreadable", f"the {array.dtype} array has values outside 0 to 255: bring it into this range"
        )
    if array.dtype.kind == "f" and not (array.min() >= 0 and array.max() <= 1):  # NaN fails both
        raise ImageError("unreadable", "the float array has values outside 0 to 1: divide it by its range")
    if array.dtype == np.uint8 and array.shape[2:] == (3,):
        return np.ascontiguousarray(array)
    out = np.empty((*array.shape[:2], 3), dtype=np.uint8)
    for top in range(0, len(array), _STRIP):
        strip = _in_8_bits(array[top : top + _STRIP])
        if strip.ndim == 2:
            strip = strip[..., None]
        out[top : top + _STRIP] = _over_background(strip) if strip.shape[2] == 4 else strip
    return out


def check_array(array: np.ndarray) -> None:
    """ImageError, status ``unreadable``, if an array is of a shape or type that holds no picture."""
    if not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3, 4))):
        raise ImageError(
            "unreadable",
            f"an image array must be (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), but got {array.shape}",
        )
    if array.dtype.kind not in "iuf":
        raise ImageError(
            "unreadable",
            f"an image array must be integers in 0 to 255, uint16 or float in [0, 1], but got {array.dtype}",
        )


def _as_stored(out: ImageArray, orientation: int) -> ImageArray:
    """A view on the upright pixels ``out`` in which they lie as the file stores them."""
    if orientation in (3, 4, 7, 8):
        out = out[::-1]
    if orientation in (2, 3, 6, 7):
        out = out[:, ::-1]
    return out.swapaxes(0, 1) if orientation >= 5 else out


def _over_background(rgba: ImageArray) -> ImageArray:
    alpha = rgba[..., 3:].astype(np.uint16)
    mixed = rgba[..., :3] * alpha + BACKGROUND * (255 - alpha)
    return ((mixed + 127) // 255).astype(np.uint8)


def _in_8_bits(strip: np.ndarray) -> ImageArray:
    if strip.dtype == np.uint16:
        return np.rint(strip * (255 / 65535)).astype(np.uint8)
    return np.rint(strip * 255.0).astype(np.uint8) if strip.dtype.kind == "f" else strip


def _scaled(image: Image.Image, name: str) -> Callable[[Image.Image], Any]:
    """What makes 8 bits of 16-bit integers, or of floats in [0, 1] or, as Pillow's mode F, in [0, 255]."""
    extremes = []
    for top in range(0, image.height, _STRIP):
        strip = np.asarray(image.crop((0, top, image.width, min(top + _STRIP, image.height))))
        extremes += [strip.min(), strip.max()]
    low, high = np.min(extremes), np.max(extremes)  # NaN stays NaN
    limit = 255 if image.mode == "F" else 65535
    if not (low >= 0 and high <= limit):  # NaN fails both
        raise ImageError("unreadable", f"{name} has pixels outside 0 to {limit}: convert it to 8 bits")
    if image.mode == "F":
        scale = 255.0 if high <= 1 else 1.0
    else:
        scale = 255 / 65535
    return lambda strip: np.rint(np.asarray(strip) * scale).astype(np.uint8)[..., None]
