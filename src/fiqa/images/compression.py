"""An opened JPEG file in → the quality that it was last saved with out."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

_AT_50 = np.array(
    [
        16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55,
        14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
        18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
        49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
    ]
)  # fmt: skip
"""The luminance table of ITU-T T.81, annex K, row by row, which the IJG's encoder uses at quality 50."""


def jpeg_quality(image: Any) -> int | None:
    """The quality, 1 to 100, whose table is nearest to that of a picture; None for anything but a JPEG file.

    Exact for files of the IJG's encoder, which nearly all programs use; of others it is the nearest. It
    speaks of the last time that the file was saved, and not of the face's size in it.
    """
    tables = getattr(image, "quantization", None)
    table = tables.get(0) if isinstance(tables, dict) else None
    if table is None or len(table) != 64:
        return None
    return 1 + int(np.abs(_tables() - np.asarray(table)).sum(axis=1).argmin())


@lru_cache(maxsize=1)
def _tables() -> NDArray[np.int64]:
    """(100, 64): the tables of qualities 1 to 100."""
    quality = np.arange(1, 101)
    scale = np.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    tables: NDArray[np.int64] = np.clip((scale[:, None] * _AT_50 + 50) // 100, 1, 255)
    return tables
