"""ATTN-FIQA: magnitude of the last block's pre-softmax attention."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from .. import evidence as names
from .. import specs
from ..errors import UsageError
from ..evidence import Evidence
from ..types import FloatArray, ModelCard
from .base import Method


@dataclass(frozen=True)
class Attn(Method):
    """Magnitude of pre-softmax attention in the last block (ATTN-FIQA, arXiv 2604.22841).

    The mean of Q·Kᵀ/√d over heads and all pairs of patches, often negative. Its patch map (the logit that a
    patch receives) averages to the score exactly, so the map explains the number without approximation.

    Attributes:
        reduce: ``mean``, or the ablations ``median``, ``max`` and ``inverse-std`` (median and inverse-std
            have no patch map).
        block: which block, from 0; None: the last.
    """

    name: ClassVar[str] = "attn"
    summary: ClassVar[str] = "magnitude of the last block's pre-softmax attention; training-free"
    source: ClassVar[str] = "ATTN-FIQA, arXiv 2604.22841"

    reduce: str = "mean"
    block: int | None = specs.option(None, read=specs.whole, expects="a whole number")

    def __post_init__(self) -> None:
        specs.choice("reduce", self.reduce, names.REDUCTIONS)

    def resolve(self, card: ModelCard) -> Attn:
        block = card.depth - 1 if self.block is None else self.block
        if not 0 <= block < card.depth:
            raise UsageError(f"block goes from 0 to {card.depth - 1} in {card.name}, but got {block}")
        return replace(self, block=block)

    def limited(self, card: ModelCard, depth: int) -> Attn:
        resolved = self.resolve(card)
        assert resolved.block is not None
        return replace(resolved, block=min(resolved.block, depth - 1))

    def needs(self) -> tuple[str, ...]:
        assert self.block is not None
        return (names.logits(self.block, self.reduce),)

    def score(self, evidence: Evidence) -> FloatArray:
        values = evidence[self.needs()[0]]
        if self.reduce == "mean":
            return values.mean(axis=1)
        return values.max(axis=1) if self.reduce == "max" else values

    def patch_map(self, evidence: Evidence) -> FloatArray | None:
        return evidence.on_grid(evidence[self.needs()[0]]) if self.reduce in ("mean", "max") else None
