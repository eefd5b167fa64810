"""How sure a figure is: qualities of comparisons in → areas and curves with intervals over subjects.

Images of one person are not independent, so resampling pairs or images makes intervals too narrow. Here whole
subjects are drawn with replacement and bring all their pairs along: the subsets bootstrap of Bolle, Ratha and
Pankanti, "Error analysis of pattern recognition systems", CVIU 2004. A mated pair weighs as often as its
subject was drawn (a subject drawn twice is not compared with its own copy; see Fogliato, Patil and Perona,
"Confidence intervals for error rates in 1:1 matching tasks", 2024, arXiv 2306.01198). A non-mated pair would
weigh the product of its two subjects' counts, but it only sets the threshold, and that is held: intervals are
given the threshold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import DataError, UsageError
from .arrays import as_codes, as_floats
from .comparisons import Comparisons, Draws
from .curves import normalise
from .protocols import edc

__all__ = ["Band", "Resampled", "bootstrap_band", "bootstrap_pauc"]


@dataclass(frozen=True)
class Resampled:
    """A figure and what it becomes when the subjects are drawn again.

    estimate: the figure on the data as they are. samples: (n_resamples,). Two figures of one call share their
    draws, so ``a - b`` is the difference with its own, paired distribution.
    """

    estimate: float
    samples: NDArray[np.float64]

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """The percentile interval that holds the share ``level`` of the samples; NaN samples are left out."""
        if not 0.0 < level < 1.0:
            raise UsageError(f"level must be in (0, 1), such as 0.95, but got {level}")
        known = self.samples[~np.isnan(self.samples)]
        if not known.size:
            return float("nan"), float("nan")
        low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)

    def __sub__(self, other: Resampled) -> Resampled:
        if len(self.samples) != len(other.samples):
            raise UsageError("only figures of one bootstrap_pauc call can be compared: they share draws")
        return Resampled(self.estimate - other.estimate, self.samples - other.samples)


@dataclass(frozen=True, kw_only=True)
class Band:
    """An EDC on a grid, with intervals: ``discard``, ``error_rate``, ``low``, ``high``, each (m,)."""

    discard: NDArray[np.float64]
    error_rate: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def bootstrap_pauc(
    qualities: Mapping[str, ArrayLike],
    comparisons: Comparisons,
    *,
    fmr: float = 1e-3,
    limit: float = 0.3,
    normalised: bool | Literal["best"] = False,
    draws: Draws | None = None,
) -> dict[str, Resampled]:
    """The pAUC of each method's FNM-EDC (``fixed`` protocol) over the same draws of subjects.

    ``result["a"].interval()`` is a method's interval; ``(result["a"] - result["b"]).interval()`` that of the
    difference, which is significant where it excludes 0.

    Args:
        qualities: {name: (m,) quality of each comparison}.
        comparisons: m of them.
        fmr, limit, normalised: as for ``edc`` and ``Curve.pauc``.
        draws: of subjects; by default 1000.

    Raises:
        DataError: what ``edc`` raises, and for mated comparisons of one subject only.
    """
    _check_limit(limit)
    out = {}
    for name, quality in qualities.items():
        curve = edc(quality, comparisons.similarity, comparisons.is_genuine, fmr)
        samples = []
        for discard, rate in _resamples(quality, comparisons, curve.threshold, draws or Draws()):
            area = np.sum(np.diff(np.minimum(discard, limit), axis=1) * rate, axis=1)
            samples.append(normalise(area, rate[:, 0], limit, normalised))
        out[name] = Resampled(curve.pauc(limit, normalised), np.concatenate(samples))
    return out


def bootstrap_band(
    quality: ArrayLike,
    comparisons: Comparisons,
    *,
    fmr: float = 1e-3,
    discard: Sequence[float] | NDArray[np.float64] | None = None,
    level: float = 0.95,
    draws: Draws | None = None,
) -> Band:
    """The FNM-EDC (``fixed``) with an interval at each point.

    Args:
        quality: (n,) of each pair, higher = better.
        comparisons: the n pairs, with the subjects that are drawn.
        fmr: the target that sets the threshold, once for all draws.
        discard: (m,) shares in [0, 1] at which the curve is read; None: 0, 0.01 … 0.95.
        level: share of the draws that an interval holds.
        draws: how many, and from which seed.
    """
    grid = np.arange(96) / 100 if discard is None else np.asarray(discard, np.float64)
    curve = edc(quality, comparisons.similarity, comparisons.is_genuine, fmr)
    samples = []
    for steps, rate in _resamples(quality, comparisons, curve.threshold, draws or Draws()):
        # the last step at or below each point, over all resamples of the block
        place = np.stack([np.sum(steps <= point + 1e-9, axis=1) - 1 for point in grid], axis=1)
        samples.append(np.take_along_axis(np.pad(rate, ((0, 0), (0, 1))), place, axis=1))
    low, high = np.quantile(np.concatenate(samples), [(1 - level) / 2, (1 + level) / 2], axis=0)
    rates = np.array([curve.at(point) for point in grid])
    return Band(discard=grid, error_rate=rates, low=low, high=high)


def _resamples(
    quality: ArrayLike, comparisons: Comparisons, threshold: float | NDArray[np.float64], draws: Draws
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Blocks of resampled step curves: discard (b, levels + 1), the last 1.0, and error rate (b, levels)."""
    label = comparisons.is_genuine
    q, s = as_floats(quality).ravel()[label], comparisons.similarity[label]
    person = as_codes(comparisons.subjects[label])
    n_subjects = int(person.max()) + 1
    if n_subjects < 2:
        raise DataError("all mated pairs are of one subject: an interval over subjects needs at least two")
    # Pairs of one subject and one quality always weigh the same: count them once.
    level = np.unique(q, return_inverse=True)[1]
    cell, pairs_cell = np.unique(level * n_subjects + person, return_inverse=True)
    n_pairs = np.bincount(pairs_cell).astype(np.float64)
    n_wrong = np.bincount(pairs_cell, weights=s < s.dtype.type(threshold))
    cell_level, cell_person = cell // n_subjects, cell % n_subjects
    starts = np.flatnonzero(np.r_[True, cell_level[1:] != cell_level[:-1]])
    times = np.random.default_rng(draws.seed).multinomial(
        n_subjects, np.full(n_subjects, 1 / n_subjects), draws.n
    )
    block = max(1, 2_000_000 // len(cell))
    for i in range(0, draws.n, block):
        weight = times[i : i + block][:, cell_person].astype(np.float64)  # (b, cells)
        left = _from_the_end(np.add.reduceat(weight * n_pairs, starts, axis=1))
        wrong = _from_the_end(np.add.reduceat(weight * n_wrong, starts, axis=1))
        rate = np.divide(wrong, left, out=np.zeros_like(wrong), where=left > 0)
        discard = 1 - left / left[:, :1]
        yield np.concatenate([discard, np.ones((len(discard), 1))], axis=1), rate


def _from_the_end(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sum from each column to the last, exact: counts are whole numbers."""
    return np.cumsum(counts[:, ::-1], axis=1)[:, ::-1]


def _check_limit(limit: float) -> None:
    if not 0.0 < limit <= 1.0:
        raise UsageError(f"the discard limit must be in (0, 1], such as 0.3, but got {limit}")
