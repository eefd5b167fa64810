"""Any recogniser → the same one on the crop and its mirror image."""

from __future__ import annotations

import numpy as np

from ...types import FloatArray, ImageArray
from .types import Recognizer


class FlipFusion:
    """A recogniser on the crop and its mirror image: the mean of both embeddings, at twice the cost."""

    def __init__(self, recognizer: Recognizer) -> None:
        self._recognizer = recognizer
        self.name = f"{recognizer.name} + flip"
        self.identity = f"flip({recognizer.identity})"

    def embed(self, crops: ImageArray) -> FloatArray:
        """Embeddings (B, D) float32, not normalised, of crops (B, 112, 112, 3) uint8 RGB."""
        mirrored = np.ascontiguousarray(crops[:, :, ::-1])
        return (self._recognizer.embed(crops) + self._recognizer.embed(mirrored)) * np.float32(0.5)
