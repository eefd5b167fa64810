"""ViTNT-FIQA: how little patch embeddings change from block to block."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from .. import evidence as names
from .. import specs
from ..errors import UsageError
from ..evidence import Evidence
from ..types import FloatArray, ModelCard
from .base import Method


@dataclass(frozen=True)
class ViTNT(Method):
    """Stability of the patch embeddings from block to block (ViTNT-FIQA, arXiv 2601.05741).

    q_p = 2 / (1 + exp(alpha · d_p)), d_p the mean distance of patch p's unit embedding between consecutive
    recorded blocks; score in (0, 1]. The patch map is q_p.

    Attributes:
        blocks: recorded blocks, from 0, ascending, at least two; None: all. Every block up to the last one
            runs, whichever are recorded.
        alpha: steepness, > 0.
        weighting: ``uniform`` mean over patches, or weighted by the attention they receive in the ``last``
            recorded block or on the ``mean`` of the recorded ones.
        norm: ``final``: embeddings pass the network's last LayerNorm first, as in the published code;
            ``none``: they do not, as in the paper's text.
    """

    name: ClassVar[str] = "vitnt"
    summary: ClassVar[str] = "how little patch embeddings change from block to block; training-free"
    source: ClassVar[str] = "ViTNT-FIQA, arXiv 2601.05741"
    least_depth: ClassVar[int] = 2

    blocks: tuple[int, ...] | None = specs.option(
        None,
        read=lambda text: None if text == "all" else specs.ranges(text),
        expects="numbers and ranges such as 0-11 or 0,4,8",
    )
    alpha: float = specs.option(8.0, read=specs.number, expects="a number")
    weighting: str = "last"
    norm: str = "final"

    def __post_init__(self) -> None:
        specs.choice("weighting", self.weighting, ("uniform", "last", "mean"))
        specs.choice("norm", self.norm, names.NORMS)
        if not 0 < self.alpha < np.inf:
            raise UsageError(f"alpha must be a positive number, but got {self.alpha}")
        if self.blocks is not None and (
            len(self.blocks) < 2 or list(self.blocks) != sorted(set(self.blocks))
        ):
            raise UsageError(
                f"blocks must be two or more ascending numbers, but got {specs.as_text(self.blocks)}"
            )

    def resolve(self, card: ModelCard) -> ViTNT:
        blocks = self.blocks if self.blocks is not None else tuple(range(card.depth))
        if len(blocks) < 2:
            raise UsageError(f"vitnt compares blocks, but {card.name} has only one")
        if blocks[-1] >= card.depth:
            raise UsageError(
                f"blocks go up to {card.depth - 1} in {card.name}, but got {specs.as_text(blocks)}"
            )
        return replace(self, blocks=blocks)

    def limited(self, card: ModelCard, depth: int) -> ViTNT:
        resolved = self.resolve(card)
        assert resolved.blocks is not None
        kept = tuple(block for block in resolved.blocks if block < max(depth, self.least_depth))
        return replace(resolved, blocks=kept if len(kept) > 1 else (0, 1))

    def _steps(self) -> list[str]:
        return [names.step(a, b, self.norm) for a, b in itertools.pairwise(self.blocks or ())]

    def _weights(self) -> list[str]:
        blocks = self.blocks or ()
        recorded = {"uniform": (), "last": blocks[-1:], "mean": blocks}[self.weighting]
        return [names.received(block) for block in recorded]

    def needs(self) -> tuple[str, ...]:
        return (*self._steps(), *self._weights())

    def _patch_quality(self, evidence: Evidence) -> FloatArray:
        distance = np.mean([evidence[name] for name in self._steps()], axis=0, dtype=np.float32)
        return np.float32(2) / (np.float32(1) + np.exp(np.float32(self.alpha) * distance))

    def score(self, evidence: Evidence) -> FloatArray:
        quality = self._patch_quality(evidence)
        if self.weighting == "uniform":
            return quality.mean(axis=1)
        weights = np.mean([evidence[name] for name in self._weights()], axis=0, dtype=np.float32)
        return (quality * weights).sum(axis=1) / weights.sum(axis=1)

    def patch_map(self, evidence: Evidence) -> FloatArray:
        return evidence.on_grid(self._patch_quality(evidence))
