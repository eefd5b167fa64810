"""The values that cross the seams of the library: frozen, validated, each with shape, unit and direction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import UsageError

FloatArray = NDArray[np.float32]
ImageArray = NDArray[np.uint8]

STATUSES = ("ok", "no_face", "unreadable", "too_large", "missing")


@dataclass(frozen=True, slots=True)
class Face:
    """One detected face.

    Attributes:
        box: (left, top, right, bottom) in pixels of the upright image.
        landmarks: (5, 2) float32, x then y in pixels: left eye, right eye, nose tip, left and right mouth
            corner, left and right as seen in the image.
        confidence: the detector's own score in [0, 1], higher = surer.
    """

    box: tuple[float, float, float, float]
    landmarks: FloatArray
    confidence: float = 1.0

    def __post_init__(self) -> None:
        landmarks = np.asarray(self.landmarks, dtype=np.float32)
        if landmarks.shape != (5, 2) or not np.isfinite(landmarks).all():
            raise UsageError(f"landmarks must be five finite (x, y) points, but got shape {landmarks.shape}")
        object.__setattr__(self, "landmarks", landmarks)

    @property
    def area(self) -> float:
        """Area of the box in square pixels."""
        left, top, right, bottom = self.box
        return max(0.0, right - left) * max(0.0, bottom - top)
