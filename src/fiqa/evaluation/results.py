"""What an evaluation asks for and what it finds: plain records, which the reports read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from .metrics.curves import Protocol
from .metrics.intervals import Band
from .metrics.statistics import GroupSummary
from .metrics.verification import OperatingPoint

__all__ = ["Comparison", "Distribution", "Evaluation", "Result", "Settings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What decides the figures.

    Attributes:
        fmrs: targets, each in (0, 1).
        limit: the pAUC runs over discards from 0 to it.
        protocol: of the EDC; only ``fixed`` has intervals.
        pairs: ``listed``: the data set's own, and all against all where it has none; ``all``: all against all
            everywhere.
        per_subject, n_non_mated: of all against all, the mated pairs of one person at most and the size of
            the non-mated sample, drawn with ``seed``.
        n_resamples, level: of the bootstrap.
        n_faces: how many of the worst and of the best images to name.
    """

    fmrs: tuple[float, ...] = (1e-3, 1e-4)
    limit: float = 0.3
    protocol: Protocol = "fixed"
    pairs: Literal["listed", "all"] = "listed"
    per_subject: int = 300
    n_non_mated: int = 1_000_000
    n_resamples: int = 1000
    level: float = 0.95
    seed: int = 0
    n_faces: int = 8

    def __post_init__(self) -> None:
        if not self.fmrs or any(not 0 < fmr < 1 for fmr in self.fmrs):
            raise UsageError(f"fmr must be in (0, 1), such as 1e-3, but got {list(self.fmrs)}")
        if not 0 < self.limit <= 1:
            raise UsageError(f"the discard limit must be in (0, 1], such as 0.3, but got {self.limit}")
        if self.protocol not in ("fixed", "recomputed"):
            raise UsageError(f"protocol must be 'fixed' or 'recomputed', but got {self.protocol!r}")
        if self.pairs not in ("listed", "all"):
            raise UsageError(f"pairs must be 'listed' or 'all', but got {self.pairs!r}")
        object.__setattr__(self, "fmrs", tuple(dict.fromkeys(self.fmrs)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What the judge alone does on a data set: no quality in it yet.

    Attributes:
        dataset, recognizer: their names.
        n_mated, n_non_mated: comparisons.
        eer: in [0, 1].
        accuracy: 10-fold mean and standard deviation, in [0, 1], or None.
        operating: FMR target → threshold and rates there.
        edges, mated, non_mated: (bins + 1,), (bins,), (bins,): the histogram of similarity.
    """

    dataset: str
    recognizer: str
    n_mated: int
    n_non_mated: int
    eer: float
    accuracy: tuple[float, float] | None
    operating: dict[float, OperatingPoint]
    edges: NDArray[np.float64]
    mated: NDArray[np.int64]
    non_mated: NDArray[np.int64]

    def n_errors(self, fmr: float) -> int:
        """How many mated comparisons are missed at an FMR target while nothing is discarded."""
        return round(self.operating[fmr].fnmr * self.n_mated)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One method on one data set, judged by one recogniser at one FMR. Lower areas are better.

    Attributes:
        dataset, recognizer, method: their names.
        fmr: the target.
        pauc: area under the EDC for discards up to the limit.
        normalised: divided by the level line's, 1.0 = no better than random.
        low, high: its interval over subjects (NaN for protocol ``recomputed``).
        is_best: the lowest normalised pAUC.
        as_good: its paired difference to the best is not significant.
        difference: the interval of that difference.
        auc: the area over all discards.
        fnmr: discard → FNMR.
        fmr_after: the FMR at the same threshold once the share ``limit`` of the non-mated pairs is gone.
        spearman: of quality with the similarity to the subject's centre, in [-1, 1], higher = better, NaN
            where nothing can be said.
        curve: the EDC, with a band.
    """

    dataset: str
    recognizer: str
    method: str
    fmr: float
    pauc: float
    normalised: float
    low: float
    high: float
    is_best: bool
    as_good: bool
    difference: tuple[float, float]
    auc: float
    fnmr: dict[float, float]
    fmr_after: float
    spearman: float
    curve: Band = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """The scores of one method on one data set.

    Attributes:
        dataset, method: their names.
        n_images, n_refused: images, and those without a score (−inf).
        edges, counts: (bins + 1,), (bins,): the histogram of the others.
        worst, best: (row, name, score) of images, the most extreme first.
        groups: by the data set's own labels.
        label_spearman: with the quality that the data set itself gives; NaN if it gives none.
    """

    dataset: str
    method: str
    n_images: int
    n_refused: int
    edges: NDArray[np.float64]
    counts: NDArray[np.int64]
    worst: tuple[tuple[int, str, float], ...]
    best: tuple[tuple[int, str, float], ...]
    groups: dict[str, GroupSummary]
    label_spearman: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Everything that one call found.

    Attributes:
        settings: what was asked for.
        methods: name → where the scores come from.
        datasets: name → its sizes.
        recognizers: the judges' names.
        comparisons, results, distributions: the figures.
        notes: what a reader must know, such as an FMR that too few pairs support.
        versions: of the packages that took part.
    """

    settings: Settings
    methods: dict[str, str]
    datasets: dict[str, dict[str, int]]
    recognizers: tuple[str, ...]
    comparisons: tuple[Comparison, ...]
    results: tuple[Result, ...]
    distributions: tuple[Distribution, ...]
    notes: tuple[str, ...]
    versions: dict[str, str]
