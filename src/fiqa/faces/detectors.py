"""Pixels in → faces with five landmarks out: the default detector, and adapters to others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike

from ..errors import UsageError
from ..types import Face, ImageArray


@runtime_checkable
class Detector(Protocol):
    """Anything with this method finds faces for fiqa."""

    def detect(self, image: ImageArray) -> list[Face]:
        """Upright faces in ``image`` (H, W, 3) uint8 RGB, with five landmarks each."""
        ...


MAX_SIDE = 1280
"""Longer side, in pixels, of the copy in which the default detector looks for faces."""


def default_detector(*, min_face: int = 20, max_side: int = MAX_SIDE, threads: int = 1) -> Detector:
    """The detector that works offline, MTCNN from the extra ``detect``; may be shared between threads.

    Args:
        min_face: side of the smallest face that is looked for, in pixels; in an image larger than
            ``max_side`` it grows with the reduction.
        max_side: faces are looked for in a copy whose longer side is at most this many pixels; the time for a
            large photograph grows with its square.
        threads: ONNX Runtime's intra-op threads.

    Raises:
        MissingExtra: the extra is not installed.
        UsageError: ``min_face`` or ``max_side`` is below 12 pixels.
    """
    from .mtcnn.detector import Mtcnn

    return Mtcnn(min_face=min_face, max_side=max_side, threads=threads)


class InsightFaceDetector:
    """An ``insightface.app.FaceAnalysis`` that the caller has prepared, as a detector."""

    def __init__(self, app: Any) -> None:
        self._app = _checked(app, "get", "insightface.app.FaceAnalysis")

    def detect(self, image: ImageArray) -> list[Face]:
        """Faces in ``image`` (H, W, 3) uint8 RGB, the largest first."""
        found = self._app.get(np.ascontiguousarray(image[:, :, ::-1]))  # it expects BGR
        return _largest_first(_face(f.bbox, f.kps, f.det_score) for f in found)


class UniFaceDetector:
    """A detector of uniface (RetinaFace, SCRFD, YOLOv5Face …) that the caller has made."""

    def __init__(self, detector: Any) -> None:
        self._detector = _checked(detector, "detect", "a detector of uniface")

    def detect(self, image: ImageArray) -> list[Face]:
        """Faces in ``image`` (H, W, 3) uint8 RGB, the largest first."""
        found = self._detector.detect(np.ascontiguousarray(image[:, :, ::-1]))  # it expects BGR
        return _largest_first(_face(f.bbox, f.landmarks, f.confidence) for f in found)


def _checked(detector: Any, method: str, expected: str) -> Any:
    if not callable(getattr(detector, method, None)):
        raise UsageError(f"expected {expected} with a method {method}(), but got {type(detector).__name__}")
    return detector


def _face(box: ArrayLike, landmarks: ArrayLike, confidence: float) -> Face:
    left, top, right, bottom = (float(v) for v in np.asarray(box, dtype=np.float64)[:4])
    return Face((left, top, right, bottom), np.asarray(landmarks, dtype=np.float32)[:, :2], float(confidence))


def _largest_first(faces: Iterable[Face]) -> list[Face]:
    return sorted(faces, key=lambda face: -face.area)
