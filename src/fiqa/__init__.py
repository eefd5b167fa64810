"""fiqa: how useful is a face image for recognition?

The quality comes from one forward pass of a Vision Transformer. ``Scorer`` scores images; the rest is for
those who bring their own networks. Names are imported when first used, so ``import fiqa`` is instant.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .budget import Budget
    from .checkpoints import load_checkpoint, save_checkpoint
    from .errors import FiqaError
    from .evidence import Evidence
    from .export import export
    from .faces import LandmarksCsv
    from .methods import METHODS
    from .scorer import Scorer
    from .types import Face, ModelCard, Quality
    from .vit import ViT, ViTConfig

_HOME = {
    "Budget": "budget",
    "Evidence": "evidence",
    "Face": "types",
    "FiqaError": "errors",
    "LandmarksCsv": "faces",
    "METHODS": "methods",
    "ModelCard": "types",
    "Quality": "types",
    "Scorer": "scorer",
    "ViT": "vit",
    "ViTConfig": "vit",
    "export": "export",
    "load_checkpoint": "checkpoints",
    "save_checkpoint": "checkpoints",
}

__all__ = [
    "METHODS",
    "Budget",
    "Evidence",
    "Face",
    "FiqaError",
    "LandmarksCsv",
    "ModelCard",
    "Quality",
    "Scorer",
    "ViT",
    "ViTConfig",
    "__version__",
    "export",
    "load_checkpoint",
    "save_checkpoint",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'fiqa' has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
