"""Pixels in → faces with five landmarks → the 112×112 ArcFace crop of each out."""

from .alignment import TEMPLATE, align, similarity, whole_as_crop
from .detectors import Detector, InsightFaceDetector, UniFaceDetector, default_detector
from .sources import DetectorSource, FaceSource, LandmarksCsv, Rotate, face_around, face_source, find_faces

__all__ = [
    "TEMPLATE",
    "Detector",
    "DetectorSource",
    "FaceSource",
    "InsightFaceDetector",
    "LandmarksCsv",
    "Rotate",
    "UniFaceDetector",
    "align",
    "default_detector",
    "face_around",
    "face_source",
    "find_faces",
    "similarity",
    "whole_as_crop",
]
