"""Other people's quality measures under one interface, written from their papers; users bring the weights."""

from .image import DetectorScore, Sharpness
from .recognition import (
    CRFIQA,
    SERFIQ,
    EmbeddingNorm,
    GraFIQs,
    MirrorConsistency,
    OnnxQuality,
    dropout_agreement,
)
from .registry import RIVALS, RivalSpec, open_rival
from .types import Rival

__all__ = [
    "CRFIQA",
    "RIVALS",
    "SERFIQ",
    "DetectorScore",
    "EmbeddingNorm",
    "GraFIQs",
    "MirrorConsistency",
    "OnnxQuality",
    "Rival",
    "RivalSpec",
    "Sharpness",
    "dropout_agreement",
    "open_rival",
]
