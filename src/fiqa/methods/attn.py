"""ATTN-FIQA: magnitude of the last block's pre-softmax attention."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from .. import evidence as names
from .. import specs
from ..errors import UsageError
from ..evidence import Evidence, Name
from ..types import FloatArray, ModelCard
from .base import METHODS, Method


@METHODS.register
@dataclass(frozen=True, kw_only=True)
class Attn(Method):
    """Magnitude of pre-softmax attention in the last block (ATTN-FIQA, arXiv 2604.22841).

    The mean of Q·Kᵀ/√d over heads and all pairs of patches, often negative. Its patch map (the logit that a
    patch receives) averages to the score exactly, so the map explains the number without approximation.

    Attributes:
        reduce: ``mean``, or the ablations ``median``, ``max`` and ``inverse-std`` (median and inverse-std
            have no patch map).
        block: which block, from 0; by default the last.
    """

    name: ClassVar[str] = "attn"
    summary: ClassVar[str] = "magnitude of the last block's pre-softmax attention; training-free"
    source: ClassVar[str] = "ATTN-FIQA, arXiv 2604.22841"

    reduce: str = specs.one_of("mean", names.REDUCTIONS)
    block: int = specs.option(read=specs.whole, expects="a whole number")

    def __post_init__(self) -> None:
        specs.choice("reduce", self.reduce, names.REDUCTIONS)

    @classmethod
    def fill(cls, options: Mapping[str, Any], card: ModelCard) -> Mapping[str, Any]:
        return {"block": card.depth - 1, **options}

    def check(self, card: ModelCard) -> None:
        if not 0 <= self.block < card.depth:
            raise UsageError(f"block goes from 0 to {card.depth - 1} in {card.name}, but got {self.block}")

    def limited(self, card: ModelCard, depth: int) -> Attn:
        return replace(self, block=min(self.block, depth - 1))

    def needs(self) -> tuple[Name, ...]:
        return (names.logits(self.block, self.reduce),)

    def score(self, evidence: Evidence) -> FloatArray:
        values: FloatArray = evidence[self.needs()[0]]
        match self.reduce:
            case "mean":
                values = values.mean(axis=1)
            case "max":
                values = values.max(axis=1)
        return values

    def patch_map(self, evidence: Evidence) -> FloatArray | None:
        return evidence.on_grid(evidence[self.needs()[0]]) if self.reduce in ("mean", "max") else None

    @property
    def map_note(self) -> str:
        if self.reduce == "max":
            return "the greatest attention logit that each patch receives; the greatest of all is the score"
        return "the attention logit that each patch receives; the map averages exactly to the score"
