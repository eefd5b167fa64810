"""Pixels in → faces with five landmarks → the 112×112 ArcFace crop of each out."""

from .alignment import TEMPLATE, align, similarity
from .sources import (
    Detector,
    InsightFaceDetector,
    LandmarksCsv,
    UniFaceDetector,
    default_detector,
    find_faces,
)

__all__ = [
    "TEMPLATE",
    "Detector",
    "InsightFaceDetector",
    "LandmarksCsv",
    "UniFaceDetector",
    "align",
    "default_detector",
    "find_faces",
    "similarity",
]
