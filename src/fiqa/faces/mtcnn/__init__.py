"""MTCNN on ONNX Runtime: pixels in → faces out."""

from .detector import Mtcnn

__all__ = ["Mtcnn"]
