"""A crop and the face it was cut from in → one number, from measures that need no network and no weights.

They are rivals to compare the methods with, and can be asked for beside them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .types import Face, FloatArray, ImageArray, check_crops

__all__ = ["CROP_MEASURES", "CropMeasure", "detector_score", "eye_distance", "sharpness"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CropMeasure:
    """One measure.

    Attributes:
        name: as on the command line and in tables.
        summary: one line on what it measures, with its unit.
        source: the paper or standard.
        needs_face: whether it reads the face in the photo; then there is no number for a bare crop.
        score: (crop (112, 112, 3) uint8 RGB, the face it was cut from or None) → the raw number, higher =
            better; None where the face that it needs is not known.
    """

    name: str
    summary: str
    source: str
    needs_face: bool
    score: Callable[[ImageArray, Face | None], float | None]


def sharpness(crops: ImageArray) -> FloatArray:
    """Variance of the Laplacian of each crop's luma; luma in 0 … 255 (Pech-Pacheco et al., ICPR 2000).

    The Laplacian is the sum of the four neighbours less four times the pixel, without the outermost pixels.

    Args:
        crops: (B, 112, 112, 3) uint8 RGB.

    Returns:
        (B,) float32 ≥ 0, higher = sharper.
    """
    luma = check_crops(crops) @ np.array([0.299, 0.587, 0.114], dtype=np.float32)  # (B, 112, 112)
    neighbours = luma[:, :-2, 1:-1] + luma[:, 2:, 1:-1] + luma[:, 1:-1, :-2] + luma[:, 1:-1, 2:]
    sharpness: FloatArray = (
        (neighbours - 4 * luma[:, 1:-1, 1:-1]).var(axis=(1, 2), dtype=np.float64).astype(np.float32)
    )
    return sharpness


def eye_distance(face: Face) -> float:
    """Distance between the eyes in the source photo, in pixels (inter-eye distance of ISO/IEC 29794-5)."""
    return float(np.linalg.norm(face.landmarks[1] - face.landmarks[0]))


def detector_score(face: Face) -> float:
    """The detector's own confidence, in [0, 1], higher = surer."""
    return face.confidence


def _sharpness(crop: ImageArray, face: Face | None) -> float:
    return float(sharpness(crop[None])[0])


def _eye_distance(crop: ImageArray, face: Face | None) -> float | None:
    return None if face is None else eye_distance(face)


def _detector_score(crop: ImageArray, face: Face | None) -> float | None:
    return None if face is None else detector_score(face)


CROP_MEASURES: dict[str, CropMeasure] = {
    measure.name: measure
    for measure in (
        CropMeasure(
            name="sharpness",
            summary="variance of the Laplacian of the crop",
            source="Pech-Pacheco et al., ICPR 2000",
            needs_face=False,
            score=_sharpness,
        ),
        CropMeasure(
            name="face-size",
            summary="distance between the eyes in the source photo, in pixels",
            source="ISO/IEC 29794-5",
            needs_face=True,
            score=_eye_distance,
        ),
        CropMeasure(
            name="detector-score",
            summary="confidence of the face detector",
            source="in wide use",
            needs_face=True,
            score=_detector_score,
        ),
    )
}
"""By name, in the order of tables."""
