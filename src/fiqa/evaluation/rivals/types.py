"""The interface that other people's quality measures share, so that one call compares them with ours."""

from __future__ import annotations

from typing import Protocol

from ...types import FloatArray, ImageArray


class Rival(Protocol):
    """A quality measure on aligned crops.

    Attributes:
        name: what tables call it.
        identity: a text that changes whenever its scores would; caches use it.
        passes: cost of one crop, in forward passes of its network; a backward pass counts as two.
    """

    name: str
    identity: str
    passes: float

    def score_crops(self, crops: ImageArray) -> FloatArray:
        """Quality (B,) float32, higher = better, of crops (B, 112, 112, 3) uint8 RGB."""
        ...
