"""A row of a result table in → a small picture of its face, inside the page, out."""

from __future__ import annotations

import base64
import io
import os
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import ImageError
from ..images import read
from ..pipeline.rows import Row
from ..types import ImageArray

SIDE = 96  # pixels: enough to see blur and pose, and some 3 kB a face
_AROUND = 0.25  # of the box, on each side


def thumbnail(values: Row, root: Path) -> str | None:
    """A data URI of the face of a row, upright; None where the photograph can't be read any more.

    Args:
        values: the row; without a box the whole picture is the face.
        root: where relative paths begin.
    """
    try:
        picture = read(os.path.join(root, values["path"]))
    except ImageError:
        return None
    box = _box(values)
    pixels = picture.pixels if box is None else _cut(picture.pixels, box)
    turned = np.rot90(pixels, -int(values.get("rotation") or 0) // 90)
    image = Image.fromarray(np.ascontiguousarray(turned))
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()


def _box(values: Row) -> tuple[float, float, float, float] | None:
    sides = [values.get(name) for name in ("left", "top", "right", "bottom")]
    numbers = [float(side) for side in sides if isinstance(side, int | float)]
    return (numbers[0], numbers[1], numbers[2], numbers[3]) if len(numbers) == 4 else None


def _cut(pixels: ImageArray, box: tuple[float, float, float, float]) -> ImageArray:
    """The square around a box, as far as it is in the picture."""
    left, top, right, bottom = box
    half = (0.5 + _AROUND) * max(right - left, bottom - top)
    x, y = (left + right) / 2, (top + bottom) / 2
    height, width = pixels.shape[:2]
    rows = slice(_inside(y - half, height), _inside(y + half, height))
    columns = slice(_inside(x - half, width), _inside(x + half, width))
    cut = pixels[rows, columns]
    return cut if cut.size else pixels


def _inside(place: float, size: int) -> int:
    return min(max(round(place), 0), size)
