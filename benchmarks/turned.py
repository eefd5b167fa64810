"""Turned faces of which the truth is known: the two example portraits in → a composite of thirty out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from fiqa.examples import example_paths
from fiqa.faces import LandmarksCsv
from fiqa.faces.rotation import turn
from fiqa.images import load
from fiqa.types import Face, FloatArray, ImageArray

N_FACES, N_COLUMNS, CELL = 30, 6, 320
SMALLEST, LARGEST = 60, 300  # longer side of a portrait in the composite, in pixels


@dataclass(frozen=True, slots=True)
class Turned:
    """One face of the composite: ``landmarks`` (5, 2) in its pixels, and the ``rotation`` that rights it."""

    landmarks: FloatArray
    rotation: int


def composite(seed: int) -> tuple[ImageArray, list[Turned]]:
    """Thirty portraits on grey, 60 to 300 pixels long, each turned by 90°, 180° or 270° at random."""
    rng = np.random.default_rng(seed)
    portraits = [head_and_shoulders(str(path)) for path in example_paths()]
    sides = rng.permutation(np.linspace(SMALLEST, LARGEST, N_FACES).round().astype(int))
    picture = np.full((N_FACES // N_COLUMNS * CELL, N_COLUMNS * CELL, 3), 128, dtype=np.uint8)
    truth = []
    for i, side in enumerate(sides):
        portrait, landmarks = portraits[i % 2]
        scale = side / max(portrait.shape[:2])
        size = (round(portrait.shape[1] * scale), round(portrait.shape[0] * scale))
        small = np.asarray(Image.fromarray(portrait).resize(size, Image.Resampling.LANCZOS))
        rotation = int(rng.choice((90, 180, 270)))
        lying = turn(small, 360 - rotation)
        place = np.array(divmod(i, N_COLUMNS))[::-1] * CELL + (CELL - np.array(lying.shape[1::-1])) // 2
        picture[place[1] : place[1] + lying.shape[0], place[0] : place[0] + lying.shape[1]] = lying
        points = (landmarks + 0.5) * scale - 0.5
        truth.append(Turned(_turned_points(points, 360 - rotation, small.shape) + place, rotation))
    return picture, truth


def hits(faces: Sequence[Face], truth: Sequence[Turned]) -> tuple[dict[int, int], int]:
    """Which face of ``faces`` is which of ``truth`` (index → index), and how many are none of them.

    A face is one whose landmarks lie, on average, within 0.3 eye distances of the true ones.
    """
    found: dict[int, int] = {}
    for i, face in enumerate(faces):
        errors = [landmark_error(face, true.landmarks) for true in truth]
        nearest = int(np.argmin(errors))
        if errors[nearest] < 0.3 and nearest not in found.values():
            found[i] = nearest
    return found, len(faces) - len(found)


def landmark_error(face: Face, landmarks: FloatArray) -> float:
    """Mean distance of the five landmarks from the true ones (5, 2), in distances of the eyes."""
    eyes = np.linalg.norm(landmarks[1] - landmarks[0])
    return float(np.linalg.norm(face.landmarks - landmarks, axis=1).mean() / eyes)


def head_and_shoulders(path: str) -> tuple[ImageArray, FloatArray]:
    """The part of a portrait that is 3.2 times as wide as its landmarks, and these landmarks in it."""
    photo = load(path)
    landmarks = LandmarksCsv(example_paths()[0].with_name("landmarks.csv")).faces(photo, path)[0].landmarks
    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    half = 1.6 * (high - low).max()
    left, top = np.maximum((low + high) / 2 - half, 0).astype(int)
    right, bottom = ((low + high) / 2 + half).astype(int)
    return photo[top:bottom, left:right], landmarks - (left, top)


def _turned_points(points: FloatArray, rotation: int, shape: tuple[int, ...]) -> FloatArray:
    """Points (n, 2) of a picture of this shape, where :func:`turn` moves them."""
    height, width = shape[:2]
    x, y = points.T
    moved = {
        90: (height - 1 - y, x),
        180: (width - 1 - x, height - 1 - y),
        270: (y, width - 1 - x),
    }[rotation]
    return np.stack(moved, axis=1)
