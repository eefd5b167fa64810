"""Pixels in → faces with five landmarks → the 112×112 ArcFace crop of each out."""

from ..types import TEMPLATE
from .alignment import align, similarity, whole_as_crop
from .detectors import Detector, InsightFaceDetector, UniFaceDetector, default_detector
from .registry import FACE_SOURCES, FaceSourceSpec, read_source
from .sources import (
    DetectorSource,
    FaceSource,
    LandmarksCsv,
    NamedSource,
    Rotate,
    face_around,
    face_source,
    find_faces,
)

__all__ = [
    "FACE_SOURCES",
    "TEMPLATE",
    "Detector",
    "DetectorSource",
    "FaceSource",
    "FaceSourceSpec",
    "InsightFaceDetector",
    "LandmarksCsv",
    "NamedSource",
    "Rotate",
    "UniFaceDetector",
    "align",
    "default_detector",
    "face_around",
    "face_source",
    "find_faces",
    "read_source",
    "similarity",
    "whole_as_crop",
]
