"""A truncated JPEG → how much of its picture is missing.

Where the data ends, a decoder goes on with what it had last, so the picture alone does not tell. But it can
be decoded twice, with two different ends: rows in which both agree have come from the file.
"""

from __future__ import annotations

import io
from typing import BinaryIO

import numpy as np
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

END_OF_IMAGE = b"\xff\xd9"
_OTHER_END = bytes(range(1, 250)) * 40  # anything that decodes to pixels; no 0xFF, which would be a marker
_STRIP = 256  # rows


def missing_share(file: BinaryIO) -> float:
    """Share of the rows, in [0, 1], that do not come from the data of a truncated JPEG."""
    file.seek(0)
    data = file.read().rstrip(b"\xff")
    one, other = _grey(data + END_OF_IMAGE), _grey(data + _OTHER_END + END_OF_IMAGE)
    for top in range(0, one.height, _STRIP):
        box = (0, top, one.width, min(top + _STRIP, one.height))
        differ = (np.asarray(one.crop(box)) != np.asarray(other.crop(box))).any(axis=1)
        if differ.any():
            return 1 - (top + int(differ.argmax())) / one.height
    return 0.0


def _grey(data: bytes) -> Image.Image:
    image = JpegImageFile(io.BytesIO(data))
    image.draft("L", image.size)  # brightness alone tells, in a quarter of the memory
    image.load()
    return image
