"""A face in a photo."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..errors import UsageError
from .crops import TEMPLATE, FloatArray
from .plain import plain

ROTATIONS = (0, 90, 180, 270)  # degrees clockwise


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One face in a photo; two are equal if all that is known of them is.

    Attributes:
        box: (left, top, right, bottom) in pixels of the upright image.
        landmarks: (5, 2) float32, x then y in pixels: left eye, right eye, nose tip, left and right mouth
            corner, left and right as seen where the face stands upright.
        confidence: the detector's own score in [0, 1], higher = surer.
        rotation: by how many degrees the upright image has to be turned clockwise for this face to stand
            upright: 0, 90, 180 or 270. Box and landmarks are those of the image before it is turned.
    """

    box: tuple[float, float, float, float]
    landmarks: FloatArray
    confidence: float = 1.0
    rotation: int = field(default=0, kw_only=True)

    def __post_init__(self) -> None:
        landmarks = np.asarray(self.landmarks, dtype=np.float32)
        if landmarks.shape != (5, 2) or not np.isfinite(landmarks).all():
            raise UsageError(f"landmarks must be five finite (x, y) points, but got shape {landmarks.shape}")
        box = tuple(float(side) for side in self.box)
        if len(box) != 4 or not np.isfinite(box).all() or box[0] > box[2] or box[1] > box[3]:
            raise UsageError(f"box must be finite (left, top, right, bottom), but got {self.box}")
        if not 0 <= self.confidence <= 1:
            raise UsageError(f"confidence must be in [0, 1], but got {self.confidence}")
        if self.rotation not in ROTATIONS:
            raise UsageError(f"rotation must be 0, 90, 180 or 270 degrees, but got {self.rotation!r}")
        object.__setattr__(self, "box", box)
        object.__setattr__(self, "landmarks", landmarks)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Face) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash((self.box, self.confidence))

    @property
    def area(self) -> float:
        """Area of the box in square pixels."""
        left, top, right, bottom = self.box
        return (right - left) * (bottom - top)

    @property
    def eye_distance(self) -> float:
        """Distance between the eyes in pixels of the upright photo."""
        return float(np.linalg.norm(self.landmarks[1] - self.landmarks[0]))

    @property
    def roll(self) -> float:
        """Degrees by which the face is tilted clockwise once the image is turned by ``rotation``, −180 … 180.

        The angle of the least-squares similarity to the crop's template, which all five points decide.
        """
        goal = TEMPLATE.astype(np.float64) - TEMPLATE.mean(axis=0, dtype=np.float64)
        points = self.landmarks - self.landmarks.mean(axis=0, dtype=np.float64)
        across = float((goal[:, 0] * points[:, 1] - goal[:, 1] * points[:, 0]).sum())
        angle = math.degrees(math.atan2(across, float((goal * points).sum())))
        return (angle + self.rotation + 180) % 360 - 180

    def scaled(self, factor: float) -> Face:
        """The face that a detector would find in the same picture ``factor`` times as wide and high.

        Detectors give landmarks as shares of a box, so that they grow with it, from the picture's corner.
        """
        left, top, right, bottom = (factor * side for side in self.box)
        landmarks = self.landmarks * np.float32(factor)
        return replace(self, box=(left, top, right, bottom), landmarks=landmarks)

    def to_dict(self) -> dict[str, Any]:
        """Every field as JSON values; :meth:`from_dict` is the inverse."""
        values: dict[str, Any] = plain(self)
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Face:
        """A face from what :meth:`to_dict` gave."""
        return cls(**{**values, "box": tuple(values["box"])})
