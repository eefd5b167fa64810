"""Measures that need no network: sharpness of the crop, size of the face, the detector's own score."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ...errors import UsageError
from ...types import Face, FloatArray, ImageArray
from ..recognizers.types import check_crops


class Sharpness:
    """Variance of the Laplacian of the crop's luma (Pech-Pacheco et al., ICPR 2000); luma in 0 … 255.

    The Laplacian is the sum of the four neighbours less four times the pixel, without the outermost pixels.
    """

    name = identity = "sharpness"
    passes = 0.0

    def score_crops(self, crops: ImageArray) -> FloatArray:
        """Quality (B,) float32 ≥ 0, higher = better, of crops (B, 112, 112, 3) uint8 RGB."""
        luma = check_crops(crops) @ np.array([0.299, 0.587, 0.114], dtype=np.float32)  # (B, 112, 112)
        neighbours = luma[:, :-2, 1:-1] + luma[:, 2:, 1:-1] + luma[:, 1:-1, :-2] + luma[:, 1:-1, 2:]
        return (neighbours - 4 * luma[:, 1:-1, 1:-1]).var(axis=(1, 2), dtype=np.float64).astype(np.float32)


class FaceSize:
    """Distance between the eyes in the source photo, in pixels (inter-eye distance of ISO/IEC 29794-5)."""

    name = "face-size"
    passes = 0.0

    def score_faces(self, faces: Sequence[Face | None]) -> FloatArray:
        """Quality (B,) float32 ≥ 0, higher = better; −inf where no face was found."""
        return np.array(
            [
                -np.inf if face is None else np.linalg.norm(face.landmarks[1] - face.landmarks[0])
                for face in faces
            ],
            dtype=np.float32,
        )


class DetectorScore:
    """The detector's confidence: in the source photo (``score_faces``) or, asked again, in the crop.

    Args:
        detect: from an image (h, w, 3) uint8 RGB to its faces; only ``score_crops`` needs it.
        name: of the detector, for tables and caches.
        margin: pixels of repeated border put round a crop, since detectors expect a face with surroundings.
    """

    passes = 1.0

    def __init__(
        self,
        detect: Callable[[ImageArray], Sequence[Face]] | None = None,
        name: str = "detector",
        margin: int = 28,
    ) -> None:
        self._detect, self._margin = detect, margin
        self.name = f"{name}-score"
        self.identity = f"{name}-score:margin={margin}"

    def score_faces(self, faces: Sequence[Face | None]) -> FloatArray:
        """Quality (B,) float32 in [0, 1], higher = better; −inf where no face was found."""
        return np.array([-np.inf if face is None else face.confidence for face in faces], dtype=np.float32)

    def score_crops(self, crops: ImageArray) -> FloatArray:
        """Confidence (B,) float32 in [0, 1] of the surest face in each crop; 0 where none is found."""
        if self._detect is None:
            raise UsageError("DetectorScore needs a detector to score crops: DetectorScore(detect)")
        m = self._margin
        padded = np.pad(check_crops(crops), ((0, 0), (m, m), (m, m), (0, 0)), mode="edge")
        best = [max((face.confidence for face in self._detect(image)), default=0.0) for image in padded]
        return np.array(best, dtype=np.float32)
