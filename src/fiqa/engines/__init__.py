"""Crops in → evidence out, on ONNX Runtime (core), OpenVINO or torch (extras), or an engine of your own.

All answer the same names with the same numbers; they differ in speed. An engine cuts its network down to the
names of a request, so that an early exit costs no more than the blocks it needs.
"""

from .base import Engine, NamedEngine, available_threads, in_streams, installed
from .graph_engine import GraphEngine
from .onnxruntime import OnnxRuntimeEngine
from .openvino import OpenVINOEngine
from .registry import ENGINES, choose
from .torch import TorchEngine

__all__ = [
    "ENGINES",
    "Engine",
    "GraphEngine",
    "NamedEngine",
    "OnnxRuntimeEngine",
    "OpenVINOEngine",
    "TorchEngine",
    "available_threads",
    "choose",
    "in_streams",
    "installed",
]
