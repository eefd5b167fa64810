"""Crops and the arrays that cross seams: their types, their shape, where a face lies in one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError

FloatArray = NDArray[np.float32]
ImageArray = NDArray[np.uint8]

CROP_SIZE = 112
CROP_SHAPE = (CROP_SIZE, CROP_SIZE, 3)  # of a crop: rows, columns, RGB
# Where eyes, nose tip and mouth corners lie in a crop, x then y: J. Deng et al., ArcFace, CVPR 2019.
TEMPLATE: FloatArray = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]],
    dtype=np.float32,
)


def as_bytes(array: NDArray[Any]) -> NDArray[Any]:
    """Integers in 0 to 255 as uint8; all else as it is, uint16 too, whose range is its own."""
    if array.dtype.kind not in "iu" or array.dtype in (np.uint8, np.uint16) or not array.size:
        return array
    return array.astype(np.uint8) if array.min() >= 0 and array.max() <= 255 else array


def check_crops(crops: Any) -> ImageArray:
    """``crops`` as uint8 (B, 112, 112, 3), or UsageError with what was got instead.

    Other integers (but uint16, which an image may use to the full) are taken where they are in 0 to 255.
    """
    array = as_bytes(np.asarray(crops))
    one = "; of a single crop give crop[None]" if array.shape == CROP_SHAPE else ""
    if array.dtype != np.uint8 or array.ndim != 4 or array.shape[1:] != CROP_SHAPE:
        raise UsageError(
            f"crops must be uint8 of shape (B, 112, 112, 3), RGB, but got {array.dtype} {array.shape}{one}"
        )
    return array
