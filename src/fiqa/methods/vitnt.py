"""ViTNT-FIQA: how little patch embeddings change from block to block."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from .. import evidence as names
from .. import specs
from ..errors import UsageError
from ..evidence import Evidence, Name
from ..types import FloatArray, ModelCard
from .base import METHODS, Method

WEIGHTINGS = ("uniform", "last", "mean")


@METHODS.register
@dataclass(frozen=True, kw_only=True)
class ViTNT(Method):
    """Stability of the patch embeddings from block to block (ViTNT-FIQA, arXiv 2601.05741).

    q_p = 2 / (1 + exp(alpha · d_p)), d_p the mean distance of patch p's unit embedding between consecutive
    recorded blocks; score in (0, 1]. The patch map is q_p.

    Attributes:
        blocks: recorded blocks, from 0, ascending, at least two; by default all. Every block up to the last
            one runs, whichever are recorded.
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

    blocks: tuple[int, ...] = specs.option(
        read=lambda text: None if text == "all" else _ascending(specs.ranges(text)),
        expects="two or more ascending numbers and ranges such as 0-11 or 0,4,8",
    )
    alpha: float = specs.option(
        8.0, read=lambda text: _positive(specs.number(text)), expects="a positive number"
    )
    weighting: str = specs.one_of("last", WEIGHTINGS)
    norm: str = specs.one_of("final", names.NORMS)

    def __post_init__(self) -> None:
        specs.choice("weighting", self.weighting, WEIGHTINGS)
        specs.choice("norm", self.norm, names.NORMS)
        try:
            _positive(self.alpha)
            _ascending(self.blocks)
        except ValueError as error:
            raise UsageError(str(error)) from None

    @classmethod
    def fill(cls, options: Mapping[str, Any], card: ModelCard) -> Mapping[str, Any]:
        if "blocks" not in options and card.depth < 2:
            raise UsageError(f"vitnt compares blocks, but {card.name} has only one")
        return {"blocks": tuple(range(card.depth)), **options}

    def check(self, card: ModelCard) -> None:
        if self.blocks[-1] >= card.depth:
            blocks = specs.as_text(self.blocks)
            raise UsageError(f"blocks go up to {card.depth - 1} in {card.name}, but got {blocks}")

    def limited(self, card: ModelCard, depth: int) -> ViTNT:
        kept = tuple(block for block in self.blocks if block < max(depth, self.least_depth))
        return replace(self, blocks=kept if len(kept) > 1 else (0, 1))

    def _steps(self) -> list[Name]:
        return [names.step(a, b, self.norm) for a, b in itertools.pairwise(self.blocks)]

    def _weights(self) -> list[Name]:
        recorded = {"uniform": (), "last": self.blocks[-1:], "mean": self.blocks}[self.weighting]
        return [names.received(block) for block in recorded]

    def needs(self) -> tuple[Name, ...]:
        return (*self._steps(), *self._weights())

    def _patch_quality(self, evidence: Evidence) -> FloatArray:
        distance = np.mean([evidence[name] for name in self._steps()], axis=0, dtype=np.float32)
        quality: FloatArray = np.float32(2) / (np.float32(1) + np.exp(np.float32(self.alpha) * distance))
        return quality

    def score(self, evidence: Evidence) -> FloatArray:
        quality = self._patch_quality(evidence)
        if self.weighting == "uniform":
            score: FloatArray = quality.mean(axis=1)
        else:
            weights = np.mean([evidence[name] for name in self._weights()], axis=0, dtype=np.float32)
            score = (quality * weights).sum(axis=1) / weights.sum(axis=1)
        return score

    def patch_map(self, evidence: Evidence) -> FloatArray:
        return evidence.on_grid(self._patch_quality(evidence))

    @property
    def map_note(self) -> str:
        averages = self.weighting == "uniform"
        how = "the map averages to the score" if averages else "attention weighs it in the score"
        return f"stability of each patch across blocks, 1 = unchanged; {how}"


def _ascending(blocks: tuple[int, ...]) -> tuple[int, ...]:
    if len(blocks) < 2 or list(blocks) != sorted(set(blocks)):
        raise ValueError(
            f"blocks must be two or more ascending numbers, but got {specs.as_text(blocks) or 'none'}"
        )
    return blocks


def _positive(alpha: float) -> float:
    if not 0 < alpha < np.inf:
        raise ValueError(f"alpha must be a positive number, but got {alpha}")
    return alpha
