"""EX-FIQA: the quality that a ViT-FIQA network regresses at an exit, and the fusions of all exits."""

from __future__ import annotations

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
class Exit(Method):
    """The quality that a ViT-FIQA network regresses after ``number`` blocks (EX-FIQA, arXiv 2604.22842)."""

    name: ClassVar[str] = "exit"
    summary: ClassVar[str] = "quality regressed after a given number of blocks, as in exit:7; ViT-FIQA models"
    source: ClassVar[str] = "EX-FIQA, arXiv 2604.22842; ViT-FIQA, arXiv 2508.13957"
    needs_exits: ClassVar[bool] = True
    positional: ClassVar[str | None] = "number"

    number: int | None = specs.option(None, read=specs.whole, expects="a whole number")

    def __str__(self) -> str:
        return self.name + (f":{self.number}" if self.number is not None else "")

    def resolve(self, card: ModelCard) -> Exit:
        _needs_exits(self, card)
        number = card.depth if self.number is None else self.number
        if not 1 <= number <= card.depth:
            raise UsageError(f"exits go from 1 to {card.depth} in {card.name}, but got {number}")
        return replace(self, number=number)

    def limited(self, card: ModelCard, depth: int) -> Exit:
        resolved = self.resolve(card)
        assert resolved.number is not None
        return replace(resolved, number=min(resolved.number, depth))

    def needs(self) -> tuple[str, ...]:
        assert self.number is not None
        return (names.exit_(self.number),)

    def score(self, evidence: Evidence) -> FloatArray:
        return evidence[self.needs()[0]]


@dataclass(frozen=True)
class ExitMean(Method):
    """Mean of the raw qualities at all exits (EX-FIQA-F, arXiv 2604.22842); ``exits``: the first so many."""

    name: ClassVar[str] = "exit-mean"
    summary: ClassVar[str] = "mean of the qualities at all exits; ViT-FIQA models"
    source: ClassVar[str] = "EX-FIQA-F, arXiv 2604.22842"
    needs_exits: ClassVar[bool] = True

    exits: int | None = specs.option(None, read=specs.whole, expects="a whole number")

    def resolve(self, card: ModelCard) -> ExitMean:
        _needs_exits(self, card)
        exits = card.depth if self.exits is None else self.exits
        if not 1 <= exits <= card.depth:
            raise UsageError(f"exits go from 1 to {card.depth} in {card.name}, but got {exits}")
        return replace(self, exits=exits)

    def limited(self, card: ModelCard, depth: int) -> ExitMean:
        resolved = self.resolve(card)
        assert resolved.exits is not None
        return replace(resolved, exits=min(resolved.exits, depth))

    def needs(self) -> tuple[str, ...]:
        assert self.exits is not None
        return tuple(names.exit_(number) for number in range(1, self.exits + 1))

    def _exit_weights(self) -> FloatArray:
        return np.ones(len(self.needs()), dtype=np.float32)

    def score(self, evidence: Evidence) -> FloatArray:
        weights = self._exit_weights()
        scores = np.stack([evidence[name] for name in self.needs()], axis=1)  # (B, exits)
        return (scores * weights).sum(axis=1, dtype=np.float32) / weights.sum()


@dataclass(frozen=True)
class ExitDepth(ExitMean):
    """Depth-weighted mean of the raw qualities at all exits, w_l ∝ l (EX-FIQA-FW, arXiv 2604.22842)."""

    name: ClassVar[str] = "exit-depth"
    summary: ClassVar[str] = "depth-weighted mean of the qualities at all exits; ViT-FIQA models"
    source: ClassVar[str] = "EX-FIQA-FW, arXiv 2604.22842"

    def _exit_weights(self) -> FloatArray:
        return np.arange(1, len(self.needs()) + 1, dtype=np.float32)


def _needs_exits(method: Method, card: ModelCard) -> None:
    if not card.exits:
        raise UsageError(
            f"{method.name} reads a regressed quality, which {card.name} does not have; "
            "use vitnt or attn, or a ViT-FIQA model"
        )
