"""The quality methods: pure NumPy on evidence, and the registry that names them.

A method spec is one text in Python, on the command line and in tables: ``name`` or ``name:option=value,…``,
such as ``vitnt:blocks=0-11,alpha=8,weighting=last,norm=final`` or ``attn:reduce=median``. ``parse`` reads it,
``resolve`` fills in what a model decides, ``needs`` names the evidence, ``score`` and ``patch_map`` do the
arithmetic in float32. Every score is higher = better.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import numpy as np

from . import evidence as names
from .errors import UsageError, unknown
from .evidence import Evidence
from .types import FloatArray, ModelCard

METHODS: dict[str, type[Method]] = {}


@dataclass(frozen=True)
class Method:
    """Base of the methods; a frozen value whose ``str`` is its canonical spec."""

    name: ClassVar[str]
    summary: ClassVar[str]
    source: ClassVar[str]
    least_depth: ClassVar[int] = 1  # blocks without which it says nothing

    def __init_subclass__(cls) -> None:
        METHODS[cls.name] = cls

    def __str__(self) -> str:
        options = [
            f"{field.name}={_text(value)}"
            for field in fields(self)
            if (value := getattr(self, field.name)) is not None
        ]
        return self.name + (":" + ",".join(options) if options else "")

    def resolve(self, card: ModelCard) -> Method:
        """This method with every setting that depends on the model filled in.

        Raises:
            UsageError: the model can't give what the method reads.
        """
        raise NotImplementedError

    def limited(self, card: ModelCard, depth: int) -> Method:
        """The resolved method, reading the first ``depth`` blocks at most (for budgets)."""
        raise NotImplementedError

    def needs(self) -> tuple[str, ...]:
        """Names of the evidence that the resolved method reads."""
        raise NotImplementedError

    def score(self, evidence: Evidence) -> FloatArray:
        """(B,) float32, higher = better."""
        raise NotImplementedError

    def patch_map(self, evidence: Evidence) -> FloatArray | None:
        """(B, rows, columns) float32, higher = more useful; None for a method without a map."""
        return None


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

    blocks: tuple[int, ...] | None = None
    alpha: float = 8.0
    weighting: str = "last"
    norm: str = "final"

    def __post_init__(self) -> None:
        _choice("weighting", self.weighting, ("uniform", "last", "mean"))
        _choice("norm", self.norm, names.NORMS)
        if not 0 < self.alpha < np.inf:
            raise UsageError(f"alpha must be a positive number, but got {self.alpha}")
        if self.blocks is not None and (
            len(self.blocks) < 2 or list(self.blocks) != sorted(set(self.blocks))
        ):
            raise UsageError(f"blocks must be two or more ascending numbers, but got {_text(self.blocks)}")

    def resolve(self, card: ModelCard) -> ViTNT:
        blocks = self.blocks if self.blocks is not None else tuple(range(card.depth))
        if len(blocks) < 2:
            raise UsageError(f"vitnt compares blocks, but {card.name} has only one")
        if blocks[-1] >= card.depth:
            raise UsageError(f"blocks go up to {card.depth - 1} in {card.name}, but got {_text(blocks)}")
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
    block: int | None = None

    def __post_init__(self) -> None:
        _choice("reduce", self.reduce, names.REDUCTIONS)

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


@dataclass(frozen=True)
class Exit(Method):
    """The quality that a ViT-FIQA network regresses after ``number`` blocks (EX-FIQA, arXiv 2604.22842)."""

    name: ClassVar[str] = "exit"
    summary: ClassVar[str] = "quality regressed after a given number of blocks, as in exit:7; ViT-FIQA models"
    source: ClassVar[str] = "EX-FIQA, arXiv 2604.22842; ViT-FIQA, arXiv 2508.13957"

    number: int | None = None

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

    exits: int | None = None

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


def parse(spec: str | Method, card: ModelCard | None = None) -> Method:
    """Read a method spec; with a ``card``, resolve it for that model, whose defaults fill what is left open.

    >>> str(parse("vitnt:blocks=0-2,8,alpha=4"))
    'vitnt:blocks=0-2,8,alpha=4,weighting=last,norm=final'
    >>> parse("exit:7").needs()
    ('exit/7',)

    Raises:
        UnknownName: no such method or option; the message suggests the nearest.
        UsageError: a value that is not allowed, or evidence that the model can't give.
    """
    if isinstance(spec, Method):
        return spec.resolve(card) if card else spec
    name, _, text = spec.strip().partition(":")
    if name not in METHODS:
        raise unknown("method", name, METHODS)
    method = METHODS[name]
    default = (card.defaults.get(name, "") if card else "").partition(":")[2]
    options = {**_options(method, default), **_options(method, text)}
    result = method(**options)
    return result.resolve(card) if card else result


def needs(methods: Sequence[Method]) -> tuple[str, ...]:
    """Names of the evidence that resolved methods read together, without repeats: one shared pass."""
    return tuple(dict.fromkeys(name for method in methods for name in method.needs()))


def _options(method: type[Method], text: str) -> dict[str, Any]:
    options: dict[str, str] = {}
    key = "number" if method is Exit and text and "=" not in text else ""
    for part in filter(None, text.split(",")):
        left, equals, right = part.partition("=")
        if equals:
            key = left.strip()
            options[key] = right.strip()
        elif key:  # a list value goes on: blocks=0,4,8
            options[key] = f"{options[key]},{part.strip()}" if key in options else part.strip()
        else:
            raise UsageError(f"options of {method.name} are option=value, but got {part!r}")
    known = [field.name for field in fields(method)]
    for option in options:
        if option not in known:
            raise unknown(f"option of {method.name}", option, known)
    return {option: _value(method, option, value) for option, value in options.items()}


def _value(method: type[Method], option: str, text: str) -> Any:
    try:
        if option == "blocks":
            return None if text == "all" else _block_list(text)
        if option in ("number", "exits", "block"):
            return int(text)
        return float(text) if option == "alpha" else text
    except ValueError:
        expected = {"blocks": "numbers and ranges such as 0-11 or 0,4,8", "alpha": "a number"}
        wanted = expected.get(option, "a whole number")
        raise UsageError(f"{option} of {method.name} must be {wanted}, but got {text!r}") from None


_DEEPEST = 9999  # a range beyond it would fill the memory before a model could refuse it


def _block_list(text: str) -> tuple[int, ...]:
    blocks: list[int] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if max(int(first), int(last or 0)) > _DEEPEST:
            raise ValueError(f"{part} is beyond any network")
        blocks += range(int(first), int(last) + 1) if dash else [int(first)]
    return tuple(blocks)


def _text(value: Any) -> str:
    if not isinstance(value, tuple):
        # the shortest text that reads back as the same number
        return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)
    runs: list[list[int]] = []
    for number in value:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def _choice(option: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise UsageError(f"{option} must be one of {', '.join(allowed)}, but got {value!r}")


def _needs_exits(method: Method, card: ModelCard) -> None:
    if not card.exits:
        raise UsageError(
            f"{method.name} reads a regressed quality, which {card.name} does not have; "
            "use vitnt or attn, or a ViT-FIQA model"
        )
