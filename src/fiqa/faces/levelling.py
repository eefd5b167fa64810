"""A tilted face in → its tilt, from a second look at the face turned upright, out."""

from __future__ import annotations

import numpy as np
from PIL import Image

from ..types import Face, ImageArray
from .sources import DetectorSource, FaceSource

STEEP = 15.0
"""Degrees of tilt from which a detector's landmarks lag behind the face."""
_AROUND = 3.0  # side of what is looked at again, in longer sides of the face's box


def roll_again(source: FaceSource, pixels: ImageArray, face: Face) -> float | None:
    """Degrees by which a face is tilted clockwise, beyond its rotation; None where its landmarks say it.

    Args:
        source: where the face is from; only a detector can look again.
        pixels: (H, W, 3) uint8 RGB.
        face: in these pixels.
    """
    if abs(face.roll) <= STEEP or not isinstance(source, DetectorSource):
        return None
    left, top, right, bottom = face.box
    side = _AROUND * max(right - left, bottom - top)
    middle = face.landmarks.mean(axis=0) + 0.5
    low, high = np.round(middle - side / 2).astype(int), np.round(middle + side / 2).astype(int)
    patch = Image.fromarray(pixels).crop((*low.tolist(), *high.tolist()))
    level = patch.rotate(face.roll - face.rotation, Image.Resampling.BICUBIC)
    found = source.faces(np.asarray(level))
    if not found:
        return None
    centre = np.array(level.size) / 2
    nearest = min(found, key=lambda one: float(np.linalg.norm(one.landmarks.mean(axis=0) - centre)))
    rest = nearest.roll
    return face.roll + rest if abs(rest) <= 2 * STEEP else None  # another face, or none at all
