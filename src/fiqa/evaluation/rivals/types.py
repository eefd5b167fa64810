"""The interface that other people's quality measures share, so that one call compares them with ours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from ...types import Face, FloatArray, ImageArray
from ..recognizers import VectorCache, map_crops
from ..recognizers.run import Progress


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


class FaceRival(Protocol):
    """A quality measure on what the detector found in the source photo: it needs no pixels.

    Attributes: as of ``Rival``; ``passes`` is 0, since detection has run anyway.
    """

    name: str
    passes: float

    def score_faces(self, faces: Sequence[Face | None]) -> FloatArray:
        """Quality (B,) float32, higher = better; −inf for None, a photo in which no face was found."""
        ...


def score_crops(
    rival: Rival,
    crops: Iterable[ImageArray],
    *,
    batch_size: int = 64,
    cache: VectorCache | None = None,
    progress: Progress | None = None,
) -> FloatArray:
    """Quality (n,) of a stream of crops (112, 112, 3) uint8 RGB, in order: batched, cached, resumable."""
    scores = map_crops(
        lambda batch: rival.score_crops(batch)[:, None], rival.identity, crops, batch_size, cache, progress
    )
    return scores[:, 0]
