"""Fit a ``fiqa.calibration.Calibration`` to raw scores, with or without comparisons.

With comparisons the number is the expected share of mated comparisons accepted, by isotonic regression
(Zadrozny and Elkan, "Transforming classifier scores into accurate multiclass probability estimates", KDD
2002). From scores alone it is a percentile of the reference images.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..calibration import Calibration, Threshold
from ..errors import DataError
from .metrics.arrays import as_codes, as_floats, check_lengths
from .metrics.comparisons import Draws
from .metrics.protocols import pair_quality
from .metrics.verification import split, thresholds_at_fmr
from .pairing import Pairing

__all__ = ["fit_acceptance", "fit_percentile", "isotonic"]

DISCARDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3)
FNMRS = (0.05, 0.02, 0.01, 0.005, 0.002, 0.001)


def isotonic(values: ArrayLike, weights: ArrayLike) -> NDArray[np.float64]:
    """The never-falling sequence nearest to ``values`` (n,) in weighted squares: pool adjacent violators.

    ``weights`` (n,) > 0. Source: Ayer et al., "An empirical distribution function for sampling with
    incomplete information", 1955.
    """
    means: list[float] = []
    totals: list[float] = []
    lengths: list[int] = []
    for value, weight in zip(as_floats(values).tolist(), as_floats(weights).tolist(), strict=True):
        means.append(value)
        totals.append(weight)
        lengths.append(1)
        while len(means) > 1 and means[-2] >= means[-1]:
            total = totals[-2] + totals[-1]
            means[-2:] = [(means[-2] * totals[-2] + means[-1] * totals[-1]) / total]
            totals[-2:] = [total]
            lengths[-2:] = [lengths[-2] + lengths[-1]]
    return np.repeat(means, lengths)


def fit_acceptance(
    spec: str,
    quality: ArrayLike,
    pairing: Pairing,
    similarity: ArrayLike,
    *,
    fmr: float = 1e-3,
    fnmrs: Sequence[float] = FNMRS,
    discards: Sequence[float] = DISCARDS,
    bins: int = 50,
    draws: Draws | None = None,
    data: str = "the reference data",
) -> Calibration:
    """Calibrate to acceptance: 90 = with this image as the worse one, 90 % of mated comparisons are accepted.

    Mated pairs, ordered by the lower of their two qualities, are cut into ``bins`` of equal size; the shares
    accepted (one half added to the accepted and to the refused, Jeffreys' prior) go through ``isotonic``;
    straight lines join the centres of the pooled blocks and run on to the lowest and highest raw score.
    FNMR targets that no gate reaches are left out of the thresholds.

    Args:
        spec: the resolved method spec.
        quality: (n,) raw score per *image*, higher = better; NaN = no score, and the pairs of such an image
            are left out.
        pairing: m pairs of the n images.
        similarity: (m,) of the pairs.
        fmr: sets the threshold, over all non-mated pairs, from which a comparison is accepted.
        fnmrs, discards: the targets to find gates for.
        bins: of mated pairs.
        draws: of subjects, for the intervals; by default 1000.
        data: a name for the meaning's sentence.

    Raises:
        DataError: there are no mated or non-mated pairs, they are of one subject, or acceptance does not rise
            with quality (the scores say nothing on this data).
    """
    draws = draws or Draws()
    q = as_floats(quality).ravel().astype(np.float64)
    person, label = as_codes(pairing.subjects), pairing.is_genuine
    check_lengths("quality", q, "subjects", person)
    genuine, impostor = split(similarity, label)
    threshold = thresholds_at_fmr(impostor, [fmr])[0]

    mated = pairing.pairs[label]
    lower = pair_quality(q, mated)
    scored = np.isfinite(lower)
    lower, accepted, owner = lower[scored], (genuine >= threshold)[scored], person[mated[:, 0]][scored]
    if not len(lower):
        raise DataError("no mated pair has a quality for both of its images: nothing can be calibrated")
    order = np.argsort(lower, kind="stable")
    lower, accepted, owner = lower[order], accepted[order], as_codes(owner[order])
    if owner.max() == 0:
        raise DataError("all mated pairs are of one subject: a calibration needs at least two")

    # Equal qualities fall into one bin, so that the bins' centres rise.
    edges = np.unique(np.quantile(lower, np.arange(1, bins) / bins))
    place = np.searchsorted(edges, lower, side="right")
    finite = q[np.isfinite(q)]
    ends = (float(finite.min()), float(finite.max()))
    knots, score = _acceptance(lower, accepted, place, np.ones(len(lower)), ends)
    if len(knots) < 2:
        raise DataError(
            f"acceptance does not rise with the quality of {spec!r} on {len(lower)} mated pairs, so no "
            "number can mean it; check the scores, add pairs, or fit a percentile"
        )
    times = list(_times(owner, draws))
    samples = [np.interp(knots, *_acceptance(lower, accepted, place, drawn[owner], ends)) for drawn in times]
    low, high = np.quantile(samples, [0.025, 0.975], axis=0)
    fitted = Calibration(
        spec=spec,
        raw=tuple(knots),
        score=tuple(score),
        meaning=f"per cent of mated comparisons accepted at FMR {fmr:g} when this is the worse of the two "
        f"images, as on {data}",
        low=tuple(low),
        high=tuple(high),
    )
    gates = [
        *_fnmr_gates(fitted, q, lower, accepted, owner, times, fnmrs),
        *_discard_gates(fitted, q, person, discards, draws),
    ]
    return replace(fitted, thresholds=tuple(gates))


def fit_percentile(
    spec: str,
    quality: ArrayLike,
    subjects: ArrayLike | None = None,
    *,
    discards: Sequence[float] = DISCARDS,
    draws: Draws | None = None,
    data: str = "the reference data",
) -> Calibration:
    """Calibrate to a percentile: 30 = 30 % of the reference images are worse.

    Args:
        spec: the resolved method spec.
        quality: (n,) raw score per image, higher = better, NaN left out.
        subjects: (n,) for intervals over subjects; None: each image counts as its own.
        discards, draws, data: as for :func:`fit_acceptance`.

    Raises:
        DataError: there are no two different scores.
    """
    draws = draws or Draws()
    q = as_floats(quality).ravel().astype(np.float64)
    person = np.arange(len(q)) if subjects is None else as_codes(subjects)
    check_lengths("quality", q, "subjects", person)
    known = np.isfinite(q)
    values = np.sort(q[known])
    if not len(values) or values[0] == values[-1]:
        raise DataError(
            f"the {len(values)} scores of {spec!r} have no two different values: there is no percentile"
        )
    share = np.linspace(0, 100, 101)
    knots, place = np.unique(np.quantile(values, share / 100), return_inverse=True)
    score = np.bincount(place, weights=share) / np.bincount(
        place
    )  # many equal scores share their mean percentile
    score[0], score[-1] = 0.0, 100.0
    ordered, owner = _ordered(q, person)
    samples = [_percentile(ordered, draw[owner], knots) for draw in _times(owner, draws)]
    low, high = np.quantile(samples, [0.025, 0.975], axis=0)
    meaning = f"per cent of {len(values)} images of {data} that are worse"
    fitted = Calibration(
        spec=spec,
        raw=tuple(knots),
        score=tuple(score),
        meaning=meaning,
        low=tuple(low),
        high=tuple(high),
    )
    return replace(fitted, thresholds=tuple(_discard_gates(fitted, q, person, discards, draws)))


def _times(person: NDArray[np.int64], draws: Draws) -> Iterator[NDArray[np.int64]]:
    """How often each subject is drawn, (n_subjects,), again and again."""
    n = int(person.max()) + 1
    rng = np.random.default_rng(draws.seed)
    for _ in range(draws.n):
        yield np.bincount(rng.integers(0, n, n), minlength=n)


def _acceptance(
    lower: NDArray[np.float64],
    accepted: NDArray[np.bool_],
    place: NDArray[np.int64],
    weight: NDArray[np.floating] | NDArray[np.int64],
    ends: tuple[float, float],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The rising curve (knots, per cent accepted) of pairs that lie in the bins ``place`` and weigh
    ``weight``.
    """
    n = np.bincount(place, weights=weight)
    hits = np.bincount(place, weights=weight * accepted)
    centre = np.bincount(place, weights=weight * lower)
    n, hits, centre = n[n > 0], hits[n > 0], centre[n > 0]
    fitted = isotonic((hits + 0.5) / (n + 1), n + 1)
    value, block = np.unique(fitted, return_inverse=True)
    x = np.bincount(block, weights=centre) / np.bincount(block, weights=n)
    y = 100 * value
    if len(x) < 2:
        return x, y
    # Run on to the ends, so that the worst and best images still differ; the prior keeps y inside (0, 100).
    before = max(y[0] - (x[0] - ends[0]) * (y[1] - y[0]) / (x[1] - x[0]), 0.0)
    after = min(y[-1] + (ends[1] - x[-1]) * (y[-1] - y[-2]) / (x[-1] - x[-2]), 100.0)
    head, tail = ends[0] < x[0] and before < y[0], ends[1] > x[-1] and after > y[-1]
    if head:
        x, y = np.r_[ends[0], x], np.r_[before, y]
    if tail:
        x, y = np.r_[x, ends[1]], np.r_[y, after]
    return x, y


def _percentile(
    ordered: NDArray[np.float64], weight: NDArray[np.int64], knots: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The per cent of the weight below each knot, half of what equals it included."""
    below = np.r_[0, np.cumsum(weight)]
    ranks = below[np.searchsorted(ordered, knots, "left")] + below[np.searchsorted(ordered, knots, "right")]
    percent: NDArray[np.float64] = 50 * ranks / below[-1]
    return percent


def _ordered(
    q: NDArray[np.float64], person: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The finite scores in rising order, and the subject of each, numbered without gaps."""
    known = np.flatnonzero(np.isfinite(q))
    known = known[np.argsort(q[known], kind="stable")]
    return q[known], as_codes(person[known])


def _discard_gates(
    calibration: Calibration,
    q: NDArray[np.float64],
    person: NDArray[np.int64],
    targets: Sequence[float],
    draws: Draws,
) -> list[Threshold]:
    """Gates that refuse the shares ``targets`` of the images, or the nearest smaller ones that ties allow."""
    ordered, owner = _ordered(q, person)

    def places(weight: NDArray[np.int64]) -> NDArray[np.float64]:
        reached = np.searchsorted(np.cumsum(weight) / weight.sum(), targets, side="right")
        return ordered[np.minimum(reached, len(ordered) - 1)]

    samples = [places(draw[owner]) for draw in _times(owner, draws)]
    return _gates(calibration, "discard", targets, places(np.ones(len(ordered), np.int64)), samples, ordered)


def _fnmr_gates(
    calibration: Calibration,
    q: NDArray[np.float64],
    lower: NDArray[np.float64],
    accepted: NDArray[np.bool_],
    owner: NDArray[np.int64],
    times: Sequence[NDArray[np.int64]],
    targets: Sequence[float],
) -> list[Threshold]:
    """The lowest gates after which the FNMR of the remaining mated pairs is at most each target."""
    starts = np.flatnonzero(np.r_[True, lower[1:] != lower[:-1]])
    levels = lower[starts]

    def places(weight: NDArray[np.int64]) -> NDArray[np.float64]:
        left = np.cumsum(weight[::-1])[::-1][starts]
        wrong = np.cumsum((weight * ~accepted)[::-1])[::-1][starts]
        rate = np.divide(wrong, left, out=np.full(len(left), np.inf), where=left > 0)
        within = [np.flatnonzero(rate <= target) for target in targets]
        return np.array([levels[found[0]] if len(found) else np.nan for found in within])

    place = places(np.ones(len(lower), np.int64))
    found = (places(drawn[owner]) for drawn in times)
    samples = [np.where(np.isnan(gate), levels[-1], gate) for gate in found]  # not reached: beyond all
    return _gates(calibration, "fnmr", targets, place, samples, np.sort(q[np.isfinite(q)]))


def _gates(
    calibration: Calibration,
    kind: Literal["fnmr", "discard"],
    targets: Sequence[float],
    places: NDArray[np.float64],
    samples: Sequence[NDArray[np.float64]],
    ordered: NDArray[np.float64],
) -> list[Threshold]:
    lows, highs = np.quantile(samples, [0.025, 0.975], axis=0)
    return [
        Threshold(
            kind=kind,
            target=float(target),
            raw=float(raw),
            score=float(calibration(raw)),
            low=min(float(low), float(raw)),
            high=max(float(high), float(raw)),
            discarded=float(np.searchsorted(ordered, raw) / len(ordered)),
        )
        for target, raw, low, high in zip(targets, places, lows, highs, strict=True)
        if not np.isnan(raw)
    ]
