"""Crops in → evidence out, on ONNX Runtime (core), OpenVINO or torch (extras).

All three answer the same names with the same numbers; they differ in speed. An engine cuts its network down
to the names of a request, so that an early exit costs no more than the blocks it needs.
"""

from .base import (
    ENGINES,
    PRECISIONS,
    Engine,
    GraphEngine,
    available_threads,
    check_precision,
    choose,
    installed,
)
from .onnxruntime import OnnxRuntimeEngine
from .openvino import OpenVINOEngine
from .torch import TorchEngine

__all__ = [
    "ENGINES",
    "PRECISIONS",
    "Engine",
    "GraphEngine",
    "OnnxRuntimeEngine",
    "OpenVINOEngine",
    "TorchEngine",
    "available_threads",
    "check_precision",
    "choose",
    "installed",
]
