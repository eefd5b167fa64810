"""Recognition models that judge quality: published checkpoints, any ONNX network, embeddings from a file.

Only ``TorchRecognizer`` needs torch, which is imported when it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...errors import require
from .cache import VectorCache, content_key
from .flip_fusion import FlipFusion
from .onnx import OnnxNetwork, OnnxRecognizer
from .open import RECOGNIZERS, RecognizerSpec, open_recognizer
from .precomputed import PrecomputedEmbeddings
from .types import PREPROCESS, Preprocess, Recognizer, preprocess_named

if TYPE_CHECKING:
    from .torch_recognizer import FAMILIES, TorchRecognizer

__all__ = [
    "FAMILIES",
    "PREPROCESS",
    "RECOGNIZERS",
    "FlipFusion",
    "OnnxNetwork",
    "OnnxRecognizer",
    "PrecomputedEmbeddings",
    "Preprocess",
    "Recognizer",
    "RecognizerSpec",
    "TorchRecognizer",
    "VectorCache",
    "content_key",
    "open_recognizer",
    "preprocess_named",
]


def __getattr__(name: str) -> Any:
    if name in ("FAMILIES", "TorchRecognizer"):
        require("torch", "torch", name)
        from . import torch_recognizer

        return getattr(torch_recognizer, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
