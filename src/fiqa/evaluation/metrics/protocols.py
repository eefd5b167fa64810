"""The two protocols that discard comparisons by quality, and the curve that each gives."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import DataError, UsageError
from .arrays import as_floats, as_labels, as_pair_columns, check_lengths
from .curves import Curve, Error, Protocol
from .verification import _accepted, highest, split, thresholds_at_fmr

__all__ = ["UnreliableFMR", "edc", "edc_many", "pair_quality"]


class UnreliableFMR(UserWarning):
    """Too few non-mated comparisons for the FMR target: fewer than 10 false matches decide the threshold."""


def edc(
    quality: ArrayLike,
    similarity: ArrayLike,
    is_genuine: ArrayLike,
    fmr: float = 1e-3,
    protocol: Protocol = "fixed",
    error: Error = "fnmr",
) -> Curve:
    """The EDC of comparisons whose lowest qualities are discarded first.

    Args:
        quality: (n,) of each *pair* (see ``pair_quality``), higher = better; −inf leaves first.
        similarity: (n,) comparison scores, higher = more alike.
        is_genuine: (n,), 1 for a mated pair.
        fmr: the target that sets the threshold, in [0, 1).
        protocol: ``"fixed"`` (ISO/IEC 29794-1): one threshold, ``threshold_at_fmr`` of all non-mated scores;
            a mated pair is an error if score < threshold; pairs of equal quality leave together; at 100 %
            discard the error is 0. ``"recomputed"``: mated and non-mated pairs are discarded together at
            0, 5 … 95 %, and each remainder gets its own threshold, the one whose FMR is *nearest* to the
            target, which may lie above it. Only to compare with tables published so: the threshold drifts,
            and pairs of equal quality leave in the order of ``numpy.argsort``, which depends on the
            processor.
        error: ``"fnmr"`` (mated pairs), or ``"fmr"`` (the non-mated pairs are discarded and their false
            matches counted; protocol ``fixed`` only).

    Returns:
        The curve; level until all pairs leave if all qualities are equal. Warns UnreliableFMR when
        fmr × non-mated pairs < 10.

    Raises:
        UsageError: arrays that don't fit together.
        DataError: NaN, or no mated or no non-mated pair.

    >>> curve = edc([0.1, 0.4, 0.9] + [0.5] * 20, [0.2, 0.6, 0.8] + [0.3] * 20, [1] * 3 + [0] * 20, fmr=0.5)
    >>> curve.discard.round(3).tolist(), curve.fnmr.round(3).tolist()
    ([0.0, 0.333, 0.667, 1.0], [0.333, 0.0, 0.0, 0.0])
    """
    return _edc(quality, similarity, is_genuine, (fmr,), protocol, error)[fmr]


def edc_many(
    quality: ArrayLike,
    similarity: ArrayLike,
    is_genuine: ArrayLike,
    fmrs: Sequence[float] = (1e-2, 1e-3, 1e-4),
    protocol: Protocol = "fixed",
    error: Error = "fnmr",
) -> dict[float, Curve]:
    """:func:`edc` at several FMR targets, sorted once.

    Args:
        quality, similarity, is_genuine, protocol, error: as of :func:`edc`.
        fmrs: the targets, each in [0, 1).

    Returns:
        {fmr: Curve}, in the order of ``fmrs``.
    """
    return _edc(quality, similarity, is_genuine, fmrs, protocol, error)


def _edc(
    quality: ArrayLike,
    similarity: ArrayLike,
    is_genuine: ArrayLike,
    fmrs: Sequence[float],
    protocol: Protocol,
    error: Error,
) -> dict[float, Curve]:
    q, s, label = as_floats(quality).ravel(), as_floats(similarity).ravel(), as_labels(is_genuine)
    if len(q) != len(s):
        raise UsageError(
            f"quality has {len(q)} entries and similarity {len(s)}: give the quality of each pair, "
            "from pair_quality(quality_per_image, pairs)"
        )
    check_lengths("similarity", s, "is_genuine", label)
    n_bad = int(np.isnan(q).sum())
    if n_bad:
        raise DataError(
            f"the quality of {n_bad} of {len(q)} pairs is NaN; drop those pairs, or set the quality to -inf "
            "to have them discarded first"
        )
    genuine, impostor = split(s, label)
    for fmr in fmrs:
        _accepted(fmr, len(impostor))  # raises for a target outside [0, 1)
        if fmr * len(impostor) < 10:
            warnings.warn(
                f"FMR {fmr:g} on {len(impostor)} non-mated comparisons allows "
                f"{fmr * len(impostor):.3g} false matches; with fewer than 10 the threshold is a matter of "
                "chance: add non-mated pairs or raise the FMR.",
                UnreliableFMR,
                stacklevel=3,
            )
    if protocol == "fixed":
        thresholds = thresholds_at_fmr(impostor, fmrs)
        if error == "fnmr":
            wrong = [genuine < t for t in thresholds]
            curves = _fixed(q[label], wrong)
        elif error == "fmr":
            del genuine
            curves = _fixed(q[~label], [impostor >= t for t in thresholds])
        else:
            raise UsageError(f"error must be 'fnmr' or 'fmr', but got {error!r}")
        return {
            fmr: Curve(
                discard=discard,
                error_rate=rate,
                threshold=float(t),
                error=error,
                fmr_target=fmr,
                protocol=protocol,
            )
            for fmr, t, (discard, rate) in zip(fmrs, thresholds, curves, strict=True)
        }
    if protocol != "recomputed":
        raise UsageError(f"protocol must be 'fixed' or 'recomputed', but got {protocol!r}")
    if error != "fnmr":
        raise UsageError(
            "the 'recomputed' protocol holds the FMR at its target, so it has no FM-EDC; use 'fixed'"
        )
    return _recomputed(q, s, label, fmrs)


def pair_quality(quality: ArrayLike, pairs: ArrayLike) -> NDArray[np.floating]:
    """The quality (m,) of each pair: the lower of its two images'.

    ``quality`` (n,) per image, NaN for an image without a score (it stays NaN); ``pairs`` (m, 2), rows.
    """
    q = as_floats(quality).ravel()
    first, second = as_pair_columns(pairs, len(q))
    lower: NDArray[np.floating] = np.minimum(q[first], q[second])
    return lower


def _fixed(
    quality: NDArray[np.floating], wrong: Sequence[NDArray[np.bool_]]
) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """(discard, error rate) for each array of errors: one step per different quality, and 0 at the end."""
    n = len(quality)
    ordered = np.sort(quality)
    gone = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])  # pairs below each different quality
    levels = ordered[gone]
    discard = np.append(gone / n, 1.0)
    out = []
    for errors in wrong:
        # the errors are few among millions of non-mated pairs, so sort only theirs
        sorted_errors = np.sort(quality[errors])
        left = len(sorted_errors) - np.searchsorted(sorted_errors, levels, side="left")
        out.append((discard, np.append(left / (n - gone), 0.0)))
    return out


def _recomputed(
    quality: NDArray[np.floating],
    similarity: NDArray[np.floating],
    is_genuine: NDArray[np.bool_],
    fmrs: Sequence[float],
) -> dict[float, Curve]:
    discard = np.arange(0, 0.98, 0.05)
    n = len(quality)
    order = np.argsort(quality)  # the default kind, as in the published protocol; ties as they fall
    label, score = is_genuine[order], similarity[order]
    genuine, impostor = score[label], score[~label]
    before = np.r_[0, np.cumsum(label)]  # mated pairs among the first so many
    starts = [int(share * n) for share in discard]
    n_top = int(np.ceil(max(fmrs) * len(impostor))) + 1
    rates = np.zeros((len(fmrs), len(starts)))
    thresholds = np.full((len(fmrs), len(starts)), np.nan)
    # From the last step back to the first: the remainder only grows, so its highest non-mated scores are
    # among those of the step before and of the pairs that come back.
    kept, end = impostor[:0], len(impostor)
    for step in range(len(starts) - 1, -1, -1):
        first_genuine = int(before[starts[step]])
        first_impostor = starts[step] - first_genuine
        kept = np.sort(highest(np.concatenate([kept, impostor[first_impostor:end]]), n_top))
        end = first_impostor
        left = np.sort(genuine[first_genuine:])
        for row, fmr in enumerate(fmrs):
            if len(kept) and len(left):
                threshold = _nearest_threshold(left, kept, len(impostor) - end, fmr)
                thresholds[row, step] = threshold
                rates[row, step] = np.searchsorted(left, threshold, side="left") / len(left)
            elif len(left):
                rates[row, step] = np.nan
    _carry_forward(rates, thresholds, genuine, before[starts])
    return {
        fmr: Curve(
            discard=discard,
            error_rate=rates[row],
            threshold=thresholds[row],
            error="fnmr",
            fmr_target=fmr,
            protocol="recomputed",
        )
        for row, fmr in enumerate(fmrs)
    }


def _nearest_threshold(
    genuine: NDArray[np.floating], top: NDArray[np.floating], n_impostor: int, fmr: float
) -> np.floating[Any]:
    """The observed score that follows the lowest one whose FMR(score ≥ t) is nearest to ``fmr``.

    Both arrays ascend; ``top`` holds the highest non-mated scores (see ``highest``). "That follows" is what
    the published figures need (with it, every one of them is met): the score found itself counts as a
    non-match.
    """
    low = int(np.searchsorted(genuine, top[0], side="left")) if len(top) < n_impostor else 0
    observed = np.unique(np.concatenate([genuine[low:], top]))
    rate = (len(top) - np.searchsorted(top, observed, side="left")) / n_impostor
    found = int(np.argmin(np.abs(rate - fmr)))
    next_up = found + 1 < len(observed)
    threshold: np.floating[Any] = (
        observed[found + 1] if next_up else np.nextafter(observed[found], np.inf, dtype=observed.dtype)
    )
    return threshold


def _carry_forward(
    rates: NDArray[np.float64],
    thresholds: NDArray[np.float64],
    genuine: NDArray[np.floating],
    first_genuine: NDArray[np.integer],
) -> None:
    """With no non-mated pair left the last threshold holds; with no mated pair left the error is 0."""
    for row in range(len(rates)):
        for step in np.flatnonzero(np.isnan(thresholds[row])):
            thresholds[row, step] = thresholds[row, step - 1]
            left = genuine[first_genuine[step] :]
            rates[row, step] = np.mean(left < thresholds[row, step]) if len(left) else 0.0
