"""A photograph that may lie on its side in → the faces of all four orientations out, each once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from ..types import ROTATIONS, Face, ImageArray

# A true face is found again, a little beside itself, in other orientations; faces of neighbours overlap less.
_SAME_FACE = 0.3  # of the smaller box


def detect_turned(detect: Callable[[ImageArray], list[Face]], pixels: ImageArray) -> list[Face]:
    """Faces that ``detect`` finds in ``pixels`` (H, W, 3) as they are and turned by 90°, 180° and 270°.

    All four are always tried, since a turned face often passes for an upright one a little beside it. Of
    finds of different orientation that overlap, the one with the highest confidence stays.

    Returns:
        The faces in the coordinates of ``pixels``, each with its ``rotation``.
    """
    found = [
        turn_back(face, rotation, (pixels.shape[0], pixels.shape[1]))
        for rotation in ROTATIONS
        for face in detect(turn(pixels, rotation))
    ]
    return _surest(found)


def turn(pixels: ImageArray, rotation: int) -> ImageArray:
    """``pixels`` (H, W, 3) turned clockwise by ``rotation`` degrees, a multiple of 90."""
    return np.ascontiguousarray(np.rot90(pixels, -(rotation // 90)))


def turn_back(face: Face, rotation: int, size: tuple[int, int]) -> Face:
    """A face found in a turned picture, in the picture as it was.

    Args:
        face: in the coordinates of the picture that :func:`turn` gave.
        rotation: by how many degrees that picture was turned clockwise.
        size: (H, W) of the picture before it was turned.
    """
    height, width = size
    (left, top, right, bottom), (x, y) = face.box, face.landmarks.T
    # a box counts from the corner of the first pixel, landmarks from its centre
    if rotation == 90:
        box, points = (top, height - right, bottom, height - left), (y, height - 1 - x)
    elif rotation == 180:
        box = (width - right, height - bottom, width - left, height - top)
        points = (width - 1 - x, height - 1 - y)
    elif rotation == 270:
        box, points = (width - bottom, left, width - top, right), (width - 1 - y, x)
    else:
        return face
    return replace(face, box=box, landmarks=np.stack(points, axis=1), rotation=rotation)


def _surest(faces: Iterable[Face]) -> list[Face]:
    """``faces`` without those that overlap a surer one of another orientation; of equals, the first stays."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: -face.confidence):
        if all(face.rotation == other.rotation or _shared(face, other) <= _SAME_FACE for other in kept):
            kept.append(face)
    return kept


def _shared(one: Face, other: Face) -> float:
    """Area that two boxes share, as a share of the smaller one's."""
    (l1, t1, r1, b1), (l2, t2, r2, b2) = one.box, other.box
    shared = max(0.0, min(r1, r2) - max(l1, l2)) * max(0.0, min(b1, b2) - max(t1, t2))
    return shared / max(min(one.area, other.area), 1e-12)
