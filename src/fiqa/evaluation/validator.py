"""Does a quality score fall when images get worse? A ladder on the user's own crops, without labels.

Each crop is degraded step by step (``fiqa.degradations``) and scored at every step. A score that works falls
with the severity: Spearman −1. The same figures choose a method's blocks, α and weighting for a model, which
the papers leave open. A ladder shows order under known damage, not recognition errors: where there are
labels, ``edc`` decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..degradations import DEGRADATIONS, ladder
from ..errors import DataError, UsageError
from ..scorer import Scorer
from ..types import ImageArray, ModelCard
from .metrics.arrays import as_codes, check_lengths
from .metrics.comparisons import Draws
from .metrics.intervals import Resampled
from .metrics.statistics import spearman

__all__ = ["Ladder", "Proposal", "Validation", "candidates", "propose", "validate"]

ScoreCrops = Callable[[ImageArray], Mapping[str, NDArray[np.float32]]]


@dataclass(frozen=True)
class Ladder:
    """One method under one degradation.

    kind: the degradation. severity: (steps,) from 0 (unchanged) to 1. quality: (n, steps) raw scores, higher
    = better.
    """

    kind: str
    severity: NDArray[np.float64]
    quality: NDArray[np.float32]

    @property
    def spearman(self) -> NDArray[np.float64]:
        """(n,) rank correlation of quality and severity for each image: −1 = falls at each step; 0 if
        constant.
        """
        q = self.quality.astype(np.float64)
        # twice the mean rank, less a constant: how many are lower minus how many are higher
        rank = np.sign(q[:, :, None] - q[:, None, :]).sum(axis=2)
        order = np.arange(q.shape[1]) - (q.shape[1] - 1) / 2
        scale = np.sqrt((rank**2).sum(axis=1) * (order**2).sum())
        rho: NDArray[np.float64] = np.divide(rank @ order, scale, out=np.zeros(len(q)), where=scale > 0)
        return rho

    @property
    def pooled(self) -> float:
        """Rank correlation over all images at once: also asks that different faces get comparable scores."""
        return spearman(self.quality.ravel(), np.tile(self.severity, len(self.quality)))

    @property
    def monotone(self) -> float:
        """The share of single steps of single images on which quality falls, in [0, 1]."""
        return float(np.mean(np.diff(self.quality, axis=1) < 0))

    @property
    def quantiles(self) -> NDArray[np.float64]:
        """(5, steps): 5, 25, 50, 75 and 95 % of quality at each severity, for box plots."""
        return np.quantile(self.quality.astype(np.float64), [0.05, 0.25, 0.5, 0.75, 0.95], axis=0)


@dataclass(frozen=True)
class Validation:
    """One method under all degradations.

    spearman: the mean over images and degradations, in [-1, 1], −1 = falls at every step; it draws
        subjects, or images if no subjects were given.
    """

    spec: str
    ladders: tuple[Ladder, ...]
    spearman: Resampled


def validate(
    measure: Scorer | ScoreCrops | Any,
    crops: ImageArray,
    *,
    kinds: Sequence[str] = DEGRADATIONS,
    steps: int = 6,
    subjects: ArrayLike | None = None,
    batch_size: int = 64,
    draws: Draws | None = None,
) -> dict[str, Validation]:
    """Score ladders of ``crops`` and measure how each method follows them: {spec: Validation}.

    Args:
        measure: a Scorer, a rival, or a function from crops uint8 (B, H, W, 3) RGB to (B,) raw scores or
            {spec: (B,)}, higher = better.
        crops: (n, H, W, 3) uint8, best clean ones, n ≥ 2.
        kinds: of ``fiqa.degradations.DEGRADATIONS``.
        steps: rungs of each ladder, the unchanged crop included.
        subjects: (n,), to draw subjects rather than images for the intervals.
        batch_size: crops per call.
        draws: for the intervals; its seed is also that of the degradations.

    Raises:
        UsageError: too few crops or steps.
        UnknownName: a degradation that there is not.
        DataError: a score that is NaN.
    """
    score_crops, draws = _as_function(measure), draws or Draws()
    crops = np.asarray(crops)
    if crops.ndim != 4 or len(crops) < 2:
        raise UsageError(f"crops must be uint8 (n, H, W, 3) with n of at least 2, but got {crops.shape}")
    if not kinds:
        raise UsageError(f"no degradation was asked for; known: {', '.join(DEGRADATIONS)}")
    group = np.arange(len(crops)) if subjects is None else as_codes(subjects)
    check_lengths("crops", crops, "subjects", group)
    severity = np.linspace(0.0, 1.0, steps)
    found: dict[str, list[Ladder]] = {}
    for kind in kinds:
        parts: dict[str, list[NDArray[np.float32]]] = {}
        for start in range(0, len(crops), max(1, batch_size // max(steps, 1))):
            some = crops[start : start + max(1, batch_size // max(steps, 1))]
            rungs = [ladder(crop, kind, steps, draws.seed + start + i)[1] for i, crop in enumerate(some)]
            for spec, scores in score_crops(np.concatenate(rungs)).items():
                parts.setdefault(spec, []).append(np.asarray(scores, np.float32).reshape(len(some), steps))
        for spec, blocks in parts.items():
            quality = np.concatenate(blocks)
            if np.isnan(quality).any():
                raise DataError(f"{spec!r} gave NaN for {int(np.isnan(quality).sum())} crops under {kind!r}")
            found.setdefault(spec, []).append(Ladder(kind, severity, quality))
    rng = np.random.default_rng(draws.seed)
    n_groups = int(group.max()) + 1
    times = rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), draws.n)[:, group]
    out = {}
    for spec, ladders in found.items():
        each = np.mean([one.spearman for one in ladders], axis=0)
        out[spec] = Validation(
            spec, tuple(ladders), Resampled(float(each.mean()), times @ each / times.sum(axis=1))
        )
    return out


def _as_function(given: Any) -> ScoreCrops:
    if isinstance(given, Scorer):
        return given.score_crops
    name = getattr(given, "name", None) or getattr(given, "__name__", type(given).__name__)
    score = getattr(given, "score_crops", given)
    if not callable(score):
        raise UsageError(
            f"what is validated must be a Scorer, a rival or a function of crops, but got {given!r:.80}"
        )

    def score_crops(crops: ImageArray) -> Mapping[str, NDArray[np.float32]]:
        found = score(crops)
        return found if isinstance(found, Mapping) else {str(name): np.asarray(found, np.float32)}

    return score_crops


def candidates(card: ModelCard) -> dict[str, int]:
    """The method specs worth trying on a model, {spec: blocks run}: prefixes of its blocks, α, weightings.

    Give the keys to a ``Scorer`` as its methods: they share one pass. Then ``propose`` among the results.
    """
    depths = sorted({max(2, round(card.depth * share / 6)) for share in range(1, 7)})
    out = {
        f"vitnt:blocks=0-{depth - 1},alpha={alpha},weighting={weighting},norm=final": depth
        for depth in depths
        for alpha in (2, 8)
        for weighting in ("uniform", "last", "mean")
    }
    out |= {f"attn:reduce={reduce}": card.depth for reduce in ("mean", "median", "max", "inverse-std")}
    if card.exits:
        out |= {"exit-depth": card.depth, "exit-mean": card.depth}
    return out


@dataclass(frozen=True)
class Proposal:
    """Which setting of a method to use.

    best: the spec of the lowest Spearman. level: the specs not significantly worse, best first.
    spec: the cheapest of these, the proposal.
    """

    best: str
    level: tuple[str, ...]
    spec: str


def propose(
    validations: Mapping[str, Validation], cost: Mapping[str, float] | None = None, level: float = 0.95
) -> dict[str, Proposal]:
    """Choose the setting of each method among the results of one ``validate`` call: {method: Proposal}.

    cost: {spec: blocks that run}, as from ``candidates``; without it the best is proposed. A setting is as
    good as the best if the interval of their paired difference holds 0.

    Settings of one method are compared, never two methods: a ladder says that a score follows damage, and a
    method that follows damage less closely can still predict recognition errors better. ``edc`` tells that.
    """
    if not validations:
        raise UsageError("there is nothing to choose from: validate at least one method")
    out = {}
    for method in dict.fromkeys(spec.partition(":")[0] for spec in validations):
        own = [v for v in validations.values() if v.spec.partition(":")[0] == method]
        own.sort(key=lambda validation: validation.spearman.estimate)
        as_good = [v.spec for v in own if (v.spearman - own[0].spearman).interval(level)[0] <= 0]
        spec = own[0].spec if cost is None else min(as_good, key=lambda name: cost[name])
        out[method] = Proposal(own[0].spec, tuple(as_good), spec)
    return out
