"""Measures that need no recogniser: sharpness of the crop, and the confidence of a detector in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ...measures import detector_score, sharpness
from ...types import Face, FloatArray, ImageArray, check_crops


class Sharpness:
    """Variance of the Laplacian of the crop's luma, see :func:`fiqa.measures.sharpness`."""

    name = identity = "sharpness"
    passes = 0.0

    def score_crops(self, crops: ImageArray) -> FloatArray:
        """Quality (B,) float32 ≥ 0, higher = better, of crops (B, 112, 112, 3) uint8 RGB."""
        return sharpness(crops)


class DetectorScore:
    """The detector's confidence in the crop, which it is asked about anew.

    Args:
        detect: from an image (h, w, 3) uint8 RGB to its faces.
        name: of the detector, for tables and caches.
        margin: pixels of repeated border put round a crop, since detectors expect a face with surroundings.
    """

    passes = 1.0

    def __init__(
        self, detect: Callable[[ImageArray], Sequence[Face]], name: str = "detector", margin: int = 28
    ) -> None:
        self._detect, self._margin = detect, margin
        self.name = f"{name}-score"
        self.identity = f"{name}-score:margin={margin}"

    def score_crops(self, crops: ImageArray) -> FloatArray:
        """Confidence (B,) float32 in [0, 1] of the surest face in each crop; 0 where none is found."""
        m = self._margin
        padded = np.pad(check_crops(crops), ((0, 0), (m, m), (m, m), (0, 0)), mode="edge")
        best = [max(map(detector_score, self._detect(image)), default=0.0) for image in padded]
        return np.array(best, dtype=np.float32)
