"""EX-FIQA: the quality that a ViT-FIQA network regresses at an exit, and the fusions of all exits."""

from __future__ import annotations

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


@METHODS.register
@dataclass(frozen=True, kw_only=True)
class Exit(Method):
    """The quality that a ViT-FIQA network regresses after ``number`` blocks (EX-FIQA, arXiv 2604.22842)."""

    name: ClassVar[str] = "exit"
    summary: ClassVar[str] = "quality regressed after a given number of blocks, as in exit:7; ViT-FIQA models"
    source: ClassVar[str] = "EX-FIQA, arXiv 2604.22842; ViT-FIQA, arXiv 2508.13957"
    needs_exits: ClassVar[bool] = True
    positional: ClassVar[str | None] = "number"

    number: int = specs.option(read=specs.whole, expects="a whole number")

    @classmethod
    def fill(cls, options: Mapping[str, Any], card: ModelCard) -> Mapping[str, Any]:
        return {"number": card.depth, **options}

    def check(self, card: ModelCard) -> None:
        _check_exit(self.number, card)
        super().check(card)

    def limited(self, card: ModelCard, depth: int) -> Exit:
        return replace(self, number=min(self.number, depth))

    def needs(self) -> tuple[Name, ...]:
        return (names.exit_(self.number),)

    def score(self, evidence: Evidence) -> FloatArray:
        return evidence[self.needs()[0]]


@METHODS.register
@dataclass(frozen=True, kw_only=True)
class ExitMean(Method):
    """Mean of the raw qualities at all exits (EX-FIQA-F, arXiv 2604.22842); ``exits``: the first so many."""

    name: ClassVar[str] = "exit-mean"
    summary: ClassVar[str] = "mean of the qualities at all exits; ViT-FIQA models"
    source: ClassVar[str] = "EX-FIQA-F, arXiv 2604.22842"
    needs_exits: ClassVar[bool] = True

    exits: int = specs.option(read=specs.whole, expects="a whole number")

    @classmethod
    def fill(cls, options: Mapping[str, Any], card: ModelCard) -> Mapping[str, Any]:
        return {"exits": card.depth, **options}

    def check(self, card: ModelCard) -> None:
        _check_exit(self.exits, card)
        super().check(card)

    def limited(self, card: ModelCard, depth: int) -> ExitMean:
        return replace(self, exits=min(self.exits, depth))

    def needs(self) -> tuple[Name, ...]:
        return tuple(names.exit_(number) for number in range(1, self.exits + 1))

    def _exit_weights(self) -> FloatArray:
        return np.ones(len(self.needs()), dtype=np.float32)

    def score(self, evidence: Evidence) -> FloatArray:
        weights = self._exit_weights()
        scores = np.stack([evidence[name] for name in self.needs()], axis=1)  # (B, exits)
        fused: FloatArray = (scores * weights).sum(axis=1, dtype=np.float32) / weights.sum()
        return fused


@METHODS.register
@dataclass(frozen=True, kw_only=True)
class ExitDepth(ExitMean):
    """Depth-weighted mean of the raw qualities at all exits, w_l ∝ l (EX-FIQA-FW, arXiv 2604.22842)."""

    name: ClassVar[str] = "exit-depth"
    summary: ClassVar[str] = "depth-weighted mean of the qualities at all exits; ViT-FIQA models"
    source: ClassVar[str] = "EX-FIQA-FW, arXiv 2604.22842"

    def _exit_weights(self) -> FloatArray:
        return np.arange(1, len(self.needs()) + 1, dtype=np.float32)


def _check_exit(number: int, card: ModelCard) -> None:
    if card.exits and not 1 <= number <= card.depth:
        raise UsageError(f"exits go from 1 to {card.depth} in {card.name}, but got {number}")
