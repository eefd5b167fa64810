"""How quality follows severity, similarity and groups: arrays in → rank correlations, shares, summaries."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import DataError
from .arrays import as_codes, as_floats, check_lengths
from .verification import l2_normalise

__all__ = ["GroupSummary", "by_group", "monotone_share", "similarity_to_centre", "spearman"]


def spearman(a: ArrayLike, b: ArrayLike) -> float:
    """Spearman's rank correlation in [-1, 1] of ``a`` (n,) and ``b`` (n,); equal values share a mean rank.

    NaN where one of them is constant: it has no order. Raises DataError for NaN and for fewer than 2 values.
    """
    x, y = _finite("the first argument", a), _finite("the second argument", b)
    check_lengths("the first argument", x, "the second", y)
    if len(x) < 2:
        raise DataError(f"a rank correlation needs at least 2 values, but got {len(x)}")
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
    check_lengths("quality", q, "severity", s)
    person = np.zeros(len(q), np.int64) if subjects is None else as_codes(subjects)
    check_lengths("quality", q, "subjects", person)
    level = np.unique(s, return_inverse=True)[1]
    rung, member = np.unique(person * (level.max(initial=0) + 1) + level, return_inverse=True)
    mean = np.bincount(member, weights=q) / np.bincount(member)
    owner = rung // (level.max(initial=0) + 1)
    step = owner[1:] == owner[:-1]
    if not step.any():
        raise DataError("no subject has images of two severities: there is no step to judge")
    return float(np.mean(mean[1:][step] < mean[:-1][step]))


def similarity_to_centre(embeddings: ArrayLike, subjects: ArrayLike) -> NDArray[np.float64]:
    """The cosine of each image's embedding to the mean of the *other* images of its subject, in [-1, 1].

    ``embeddings`` (n, D), ``subjects`` (n,) → (n,), higher = more typical; NaN for a subject's only image.
    """
    x, person = l2_normalise(embeddings).astype(np.float64), as_codes(subjects)
    check_lengths("embeddings", x, "subjects", person)
    total = np.zeros((person.max() + 1, x.shape[1]))
    np.add.at(total, person, x)
    others = total[person] - x
    norm = np.linalg.norm(others, axis=1)
    alone = np.bincount(person)[person] == 1
    return np.where(alone, np.nan, (others * x).sum(1) / np.where(norm > 0, norm, 1.0))


@dataclass(frozen=True, kw_only=True)
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
    q, labels = as_floats(quality).ravel(), np.asarray(groups)
    check_lengths("quality", q, "groups", labels)
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
    array = as_floats(values).ravel().astype(np.float64)
    n_bad = int((~np.isfinite(array)).sum())
    if n_bad:
        raise DataError(
            f"{n_bad} of {len(array)} values of {name} are NaN or infinite; leave those images out"
        )
    return array


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 1, the mean rank for equal values."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return (last - (count - 1) / 2)[place]
