"""Sightings, made up: where a face is, how good it is, and whose it is."""

from __future__ import annotations

import numpy as np

from fiqa.types import Face, Quality
from fiqa.video.tracks import Sighting

LANDMARKS = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]])
SIZE = (640, 480)


def person(number: int, likeness: float = 1.0) -> np.ndarray:
    """The embedding (8,) of a person; ``likeness`` is its cosine with the person's own direction."""
    vector = np.zeros(8, dtype=np.float32)
    vector[number], vector[7] = likeness, np.sqrt(1 - likeness**2)
    return vector


def sighting(
    time: float,
    centre: tuple[float, float] = (320, 240),
    *,
    side: float = 100,
    score: float = 80,
    embedding: np.ndarray | None = None,
) -> Sighting:
    left, top = centre[0] - side / 2, centre[1] - side / 2
    marks = (LANDMARKS * side + (left, top)).astype(np.float32)
    quality = Quality(
        status="ok",
        score=score,
        scored_by="exit-depth",
        raw={"exit-depth": score / 100},
        face=Face((left, top, left + side, top + side), marks),
        crop=np.zeros((112, 112, 3), dtype=np.uint8),
        embedding=embedding,
    )
    return Sighting(frame=round(time * 10), time=time, name="", size=SIZE, quality=quality, value=score)
