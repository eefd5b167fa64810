"""How sure a figure is (bootstrap over subjects), and how quality follows severity, similarity and groups.

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
from .curves import edc, normalise
from .verification import _codes, _floating, _labels, _same_length, l2_normalise

__all__ = [
    "Band",
    "GroupSummary",
    "Resampled",
    "bootstrap_band",
    "bootstrap_pauc",
    "by_group",
    "monotone_share",
    "similarity_to_centre",
    "spearman",
]


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
            raise UsageError(f"level must be in (0, 1), such as 0.95, got {level}.")
        known = self.samples[~np.isnan(self.samples)]
        if not known.size:
            return float("nan"), float("nan")
        low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)

    def __sub__(self, other: Resampled) -> Resampled:
        if len(self.samples) != len(other.samples):
            raise UsageError("only figures of one bootstrap_pauc call can be compared: they share draws.")
        return Resampled(self.estimate - other.estimate, self.samples - other.samples)


@dataclass(frozen=True)
class Band:
    """An EDC on a grid, with intervals: ``discard``, ``error_rate``, ``low``, ``high``, each (m,)."""

    discard: NDArray[np.float64]
    error_rate: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def bootstrap_pauc(
    qualities: Mapping[str, ArrayLike],
    similarity: ArrayLike,
    is_genuine: ArrayLike,
    subjects: ArrayLike,
    fmr: float = 1e-3,
    limit: float = 0.3,
    normalised: bool | Literal["best"] = False,
    n_resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Resampled]:
    """The pAUC of each method's FNM-EDC (``fixed`` protocol) over the same draws of subjects.

    qualities: {name: (n,) quality of each pair}. similarity, is_genuine: (n,) as for ``edc``. subjects: (n,)
    the subject of each pair's first image; those of non-mated pairs aren't used. fmr, limit, normalised: as
    for ``edc`` and ``Curve.pauc``. Raises what ``edc`` raises, and DataError if the mated pairs are of one
    subject only.

    ``result["a"].interval()`` is a method's interval; ``(result["a"] - result["b"]).interval()`` that of the
    difference, which is significant where it excludes 0.
    """
    _check_limit(limit)
    label, subject = _labels(is_genuine), np.asarray(subjects)
    _same_length("subjects", subject, "is_genuine", label)
    out = {}
    for name, quality in qualities.items():
        curve = edc(quality, similarity, label, fmr)
        samples = []
        for discard, rate in _resamples(
            quality, similarity, label, subject, curve.threshold, n_resamples, seed
        ):
            area = np.sum(np.diff(np.minimum(discard, limit), axis=1) * rate, axis=1)
            samples.append(normalise(area, rate[:, 0], limit, normalised))
        out[name] = Resampled(curve.pauc(limit, normalised), np.concatenate(samples))
    return out


def bootstrap_band(
    quality: ArrayLike,
    similarity: ArrayLike,
    is_genuine: ArrayLike,
    subjects: ArrayLike,
    fmr: float = 1e-3,
    discard: Sequence[float] | NDArray[np.float64] | None = None,
    level: float = 0.95,
    n_resamples: int = 1000,
    seed: int = 0,
) -> Band:
    """The FNM-EDC (``fixed``) at ``discard`` (m,), by default 0, 0.01 … 0.95, an interval at each point."""
    grid = np.arange(96) / 100 if discard is None else np.asarray(discard, np.float64)
    label, subject = _labels(is_genuine), np.asarray(subjects)
    _same_length("subjects", subject, "is_genuine", label)
    curve = edc(quality, similarity, label, fmr)
    samples = []
    for steps, rate in _resamples(quality, similarity, label, subject, curve.threshold, n_resamples, seed):
        # the last step at or below each point, over all resamples of the block
        place = np.stack([np.sum(steps <= point + 1e-9, axis=1) - 1 for point in grid], axis=1)
        samples.append(np.take_along_axis(np.pad(rate, ((0, 0), (0, 1))), place, axis=1))
    low, high = np.quantile(np.concatenate(samples), [(1 - level) / 2, (1 + level) / 2], axis=0)
    return Band(grid, np.array([curve.at(point) for point in grid]), low, high)


def _resamples(
    quality: ArrayLike,
    similarity: ArrayLike,
    label: NDArray[np.bool_],
    subject: NDArray[np.generic],
    threshold: float | NDArray[np.float64],
    n_resamples: int,
    seed: int,
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Blocks of resampled step curves: discard (b, levels + 1), the last 1.0, and error rate (b, levels)."""
    if n_resamples < 1:
        raise UsageError(f"n_resamples must be at least 1, got {n_resamples}.")
    q, s = _floating(quality).ravel()[label], _floating(similarity).ravel()[label]
    person = _codes(subject[label])
    n_subjects = int(person.max()) + 1
    if n_subjects < 2:
        raise DataError("all mated pairs are of one subject: an interval over subjects needs at least two.")
    # Pairs of one subject and one quality always weigh the same: count them once.
    level = np.unique(q, return_inverse=True)[1]
    cell, pairs_cell = np.unique(level * n_subjects + person, return_inverse=True)
    n_pairs = np.bincount(pairs_cell).astype(np.float64)
    n_wrong = np.bincount(pairs_cell, weights=s < s.dtype.type(threshold))
    cell_level, cell_person = cell // n_subjects, cell % n_subjects
    starts = np.flatnonzero(np.r_[True, cell_level[1:] != cell_level[:-1]])
    times = np.random.default_rng(seed).multinomial(
        n_subjects, np.full(n_subjects, 1 / n_subjects), n_resamples
    )
    block = max(1, 2_000_000 // len(cell))
    for i in range(0, n_resamples, block):
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
        raise UsageError(f"the discard limit must be in (0, 1], such as 0.3, got {limit}.")


# --- quality against severity, similarity and groups -------------------------------------------------------


def spearman(a: ArrayLike, b: ArrayLike) -> float:
    """Spearman's rank correlation in [-1, 1] of ``a`` (n,) and ``b`` (n,); equal values share a mean rank.

    NaN where one of them is constant: it has no order. Raises DataError for NaN and for fewer than 2 values.
    """
    x, y = _finite("the first argument", a), _finite("the second argument", b)
    _same_length("the first argument", x, "the second", y)
    if len(x) < 2:
        raise DataError(f"a rank correlation needs at least 2 values, got {len(x)}.")
    x_rank, y_rank = _ranks(x), _ranks(y)
    x_rank -= x_rank.mean()
    y_rank -= y_rank.mean()
    scale = float(np.sqrt((x_rank**2).sum() * (y_rank**2).sum()))
    return float(np.clip((x_rank * y_rank).sum() / scale, -1.0, 1.0)) if scale > 0 else float("nan")


def monotone_share(quality: ArrayLike, severity: ArrayLike, subjects: ArrayLike | None = None) -> float:
    """The share of steps to the next higher severity on which the mean quality falls, in [0, 1]; 1 = always.

    quality: (n,). severity: (n,) numbers that order the groups, higher = worse (for SynFIQA's Q0 … Q9, Ref,
    where higher is better, pass the negative). subjects: (n,), to count the steps of each subject's own
    ladder; None: one ladder of all images. Equal means don't count as a fall. Raises DataError when there is
    no step at all.
    """
    q, s = _finite("quality", quality), _finite("severity", severity)
    _same_length("quality", q, "severity", s)
    person = np.zeros(len(q), np.int64) if subjects is None else _codes(subjects)
    _same_length("quality", q, "subjects", person)
    level = np.unique(s, return_inverse=True)[1]
    rung, member = np.unique(person * (level.max(initial=0) + 1) + level, return_inverse=True)
    mean = np.bincount(member, weights=q) / np.bincount(member)
    owner = rung // (level.max(initial=0) + 1)
    step = owner[1:] == owner[:-1]
    if not step.any():
        raise DataError("no subject has images of two severities: there is no step to judge.")
    return float(np.mean(mean[1:][step] < mean[:-1][step]))


def similarity_to_centre(embeddings: ArrayLike, subjects: ArrayLike) -> NDArray[np.float64]:
    """The cosine of each image's embedding to the mean of the *other* images of its subject, in [-1, 1].

    ``embeddings`` (n, D), ``subjects`` (n,) → (n,), higher = more typical; NaN for a subject's only image.
    """
    x, person = l2_normalise(embeddings).astype(np.float64), _codes(subjects)
    _same_length("embeddings", x, "subjects", person)
    total = np.zeros((person.max() + 1, x.shape[1]))
    np.add.at(total, person, x)
    others = total[person] - x
    norm = np.linalg.norm(others, axis=1)
    alone = np.bincount(person)[person] == 1
    return np.where(alone, np.nan, (others * x).sum(1) / np.where(norm > 0, norm, 1.0))


@dataclass(frozen=True)
class GroupSummary:
    """Quality of one group: ``n`` images with a score and ``n_missing`` without (NaN).

    quantiles: (5,) at 5, 25, 50, 75 and 95 %. below: the share of the scored images below the threshold asked
    for; NaN if none was. Without any score all figures are NaN.
    """

    n: int
    n_missing: int
    mean: float
    std: float
    quantiles: NDArray[np.float64]
    below: float


def by_group(
    quality: ArrayLike, groups: ArrayLike, threshold: float | None = None
) -> dict[str, GroupSummary]:
    """How quality splits by group labels, {label as text: summary}, labels in rising order.

    ``quality`` (n,), NaN for an image without a score; ``groups`` (n,) any labels. With ``threshold``, the
    share that a
    gate there would refuse in each group: the figure to look at for fairness.
    """
    q, labels = _floating(quality).ravel(), np.asarray(groups)
    _same_length("quality", q, "groups", labels)
    out = {}
    for name in np.unique(labels):
        own = q[labels == name].astype(np.float64)
        known = own[~np.isnan(own)]
        some = known.size > 0
        out[str(name)] = GroupSummary(
            n=len(known),
            n_missing=len(own) - len(known),
            mean=float(known.mean()) if some else float("nan"),
            std=float(known.std()) if some else float("nan"),
            quantiles=np.quantile(known, [0.05, 0.25, 0.5, 0.75, 0.95]) if some else np.full(5, np.nan),
            below=float(np.mean(known < threshold)) if some and threshold is not None else float("nan"),
        )
    return out


def _finite(name: str, values: ArrayLike) -> NDArray[np.float64]:
    array = _floating(values).ravel().astype(np.float64)
    n_bad = int((~np.isfinite(array)).sum())
    if n_bad:
        raise DataError(
            f"{n_bad} of {len(array)} values of {name} are NaN or infinite; leave those images out."
        )
    return array


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 1, the mean rank for equal values."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return (last - (count - 1) / 2)[place]
