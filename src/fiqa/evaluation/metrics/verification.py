"""From embeddings to comparison scores, and from scores to the error rates of ISO/IEC 19795-1.

Similarity: higher = more alike. A comparison is a match when ``score >= threshold``. FMR is the share of
non-mated comparisons that match, FNMR the share of mated comparisons that don't.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import DataError, UsageError
from .arrays import (
    as_codes,
    as_floats,
    as_labels,
    as_pair_columns,
    check_lengths,
    check_no_nan,
    rows_by_subject,
)

__all__ = [
    "Accuracy",
    "OperatingPoint",
    "Roc",
    "cosine_similarity",
    "eer",
    "fnmr_at_fmr",
    "l2_normalise",
    "lfw_accuracy",
    "mated_pairs",
    "non_mated_pairs",
    "roc",
    "threshold_at_fmr",
    "thresholds_at_fmr",
]


# --- embeddings and pairs ----------------------------------------------------------------------------------


def l2_normalise(embeddings: ArrayLike) -> NDArray[np.floating]:
    """Divide each row of ``embeddings`` (n, D) by its Euclidean norm; float32 stays float32.

    Raises DataError for a row that is zero or not finite: such an embedding has no direction to compare.
    """
    x = as_floats(embeddings)
    if x.ndim != 2:
        raise UsageError(f"embeddings must have shape (n, D), but got {x.shape}")
    norm = np.linalg.norm(x, axis=1, keepdims=True)
    bad = np.flatnonzero(~(np.isfinite(norm[:, 0]) & (norm[:, 0] > 0)))
    if bad.size:
        raise DataError(
            f"{bad.size} of {len(x)} embeddings are zero or not finite (the first is row {bad[0]}); "
            "leave their images out of the comparisons"
        )
    unit: NDArray[np.floating] = x / norm
    return unit


def cosine_similarity(embeddings: ArrayLike, pairs: ArrayLike, block: int = 65536) -> NDArray[np.floating]:
    """Cosine of the angle between the two embeddings of each pair.

    ``embeddings`` (n, D), not necessarily normalised; ``pairs`` (m, 2), row numbers. Returns (m,) in [-1, 1],
    higher = more alike, worked out ``block`` pairs at a time.
    """
    x = l2_normalise(embeddings)
    first, second = as_pair_columns(pairs, len(x))
    out = np.empty(len(first), x.dtype)
    for i in range(0, len(first), block):
        cut = slice(i, i + block)
        out[cut] = np.einsum("nd,nd->n", x[first[cut]], x[second[cut]])
    return out


def mated_pairs(subjects: ArrayLike, per_subject: int | None = None, seed: int = 0) -> NDArray[np.int64]:
    """All pairs of different images of one subject, as (m, 2) row numbers with the first < the second.

    ``subjects`` (n,): who is on each image, any labels. A subject with more than ``per_subject`` pairs gives
    that many, drawn without replacement, so that one person with hundreds of images doesn't decide the result
    (in LFW one person owns more than half of all mated pairs).
    """
    if per_subject is not None and per_subject < 1:
        raise UsageError(f"per_subject must be at least 1 or None, but got {per_subject}")
    rng = np.random.default_rng(seed)
    found = [np.empty((0, 2), np.int64)]
    for members in rows_by_subject(subjects):
        first, second = np.triu_indices(len(members), 1)
        if per_subject is not None and len(first) > per_subject:
            chosen = np.sort(rng.choice(len(first), per_subject, replace=False))
            first, second = first[chosen], second[chosen]
        found.append(np.stack([members[first], members[second]], axis=1))
    return np.concatenate(found)


def non_mated_pairs(subjects: ArrayLike, n: int, seed: int = 0) -> NDArray[np.int64]:
    """``n`` different pairs of images of different subjects, uniformly drawn.

    Returns (n, 2) row numbers, the first < the second, in rising order. Raises UsageError when there
    are fewer than ``n`` such pairs.
    """
    label = as_codes(subjects)
    count, n_images = np.bincount(label), len(label)
    n_possible = (n_images**2 - int((count.astype(np.int64) ** 2).sum())) // 2
    if not 0 <= n <= n_possible:
        raise UsageError(
            f"{n} non-mated pairs were asked for, but {n_images} images of {len(count)} subjects "
            f"have {n_possible}: ask for fewer"
        )
    rng = np.random.default_rng(seed)
    if n > n_possible // 2 and n_images <= 20000:  # rejection would take long: list them all and choose
        first, second = np.triu_indices(n_images, 1)
        apart = np.flatnonzero(label[first] != label[second])
        chosen = np.sort(rng.choice(apart, n, replace=False))
        return np.stack([first[chosen], second[chosen]], axis=1).astype(np.int64)
    keys = np.empty(0, np.int64)
    while len(keys) < n:
        draw = rng.integers(0, n_images, (int((n - len(keys)) * 1.1) + 64, 2))
        draw = np.sort(draw[label[draw[:, 0]] != label[draw[:, 1]]], axis=1)
        keys = np.unique(np.concatenate([keys, draw[:, 0] * n_images + draw[:, 1]]))
    if len(keys) > n:
        keys = np.sort(rng.choice(keys, n, replace=False))
    return np.stack([keys // n_images, keys % n_images], axis=1)


def highest(values: NDArray[np.floating], m: int) -> NDArray[np.floating]:
    """The ``m`` highest of ``values``, all that equal the lowest of these, and all of the next lower value.

    With the ties and the next value, a set is enough to tell "score ≥ t" counts near its m-th place, and the
    ``highest`` of a union can be had from the ``highest`` of its parts.
    """
    if m >= len(values):
        return values
    cut = np.partition(values, len(values) - m)[len(values) - m]
    lower = values[values < cut]
    return values[values >= lower.max()] if lower.size else values


# --- thresholds and rates ----------------------------------------------------------------------------------


def threshold_at_fmr(impostor: ArrayLike, fmr: float) -> float:
    """The lowest threshold, among the non-mated scores, at which FMR(score ≥ t) ≤ ``fmr``.

    ``impostor`` (n,): similarities of non-mated comparisons. Where no score satisfies it (``fmr < 1/n``, or
    ties at the top), the threshold is the next number above the scores that must not match. 0 ≤ ``fmr`` < 1.
    """
    return float(thresholds_at_fmr(impostor, [fmr])[0])


def thresholds_at_fmr(impostor: ArrayLike, fmrs: Sequence[float]) -> NDArray[np.floating]:
    """``threshold_at_fmr`` for several targets in one partial sort, O(n); the dtype is that of the scores."""
    scores = as_floats(impostor).ravel()
    if not scores.size:
        raise DataError("there are no non-mated comparisons, so no threshold can be set at an FMR")
    check_no_nan("similarity", scores)
    n = len(scores)
    accepted = [_accepted(fmr, n) for fmr in fmrs]
    lowest = (
        n - 1 - max(accepted, default=0)
    )  # only the scores from here on can be thresholds: sort no others
    descending = np.sort(np.partition(scores, lowest)[lowest:])[::-1]
    return np.array([_lowest_allowed(descending, k) for k in accepted], scores.dtype)


@dataclass(frozen=True)
class OperatingPoint:
    """One threshold and the error rates there: ``fmr`` and ``fnmr`` are shares in [0, 1] as measured."""

    threshold: float
    fmr: float
    fnmr: float


def fnmr_at_fmr(similarity: ArrayLike, is_genuine: ArrayLike, fmr: float = 1e-3) -> OperatingPoint:
    """The error rates at the threshold that ``threshold_at_fmr`` sets.

    ``similarity`` (n,), ``is_genuine`` (n,) of 0/1.
    """
    genuine, impostor = split(similarity, is_genuine)
    threshold = thresholds_at_fmr(impostor, [fmr])[0]
    return OperatingPoint(
        float(threshold), float(np.mean(impostor >= threshold)), float(np.mean(genuine < threshold))
    )


@dataclass(frozen=True)
class Roc:
    """ROC and DET points by rising ``threshold`` (m,): ``fmr`` (m,) falls to 0, ``fnmr`` (m,) rises from 0.

    The DET plots ``fnmr`` over ``fmr``, the ROC ``1 − fnmr``.
    """

    threshold: NDArray[np.floating]
    fmr: NDArray[np.float64]
    fnmr: NDArray[np.float64]


def roc(similarity: ArrayLike, is_genuine: ArrayLike) -> Roc:
    """FMR and FNMR at every different score, and at one threshold above them all."""
    genuine, impostor = (np.sort(x) for x in split(similarity, is_genuine))
    threshold = np.unique(np.concatenate([genuine, impostor]))
    threshold = np.append(threshold, np.nextafter(threshold[-1], np.inf, dtype=threshold.dtype))
    fnmr = np.searchsorted(genuine, threshold) / len(genuine)
    fmr = 1.0 - np.searchsorted(impostor, threshold) / len(impostor)
    return Roc(threshold, fmr, fnmr)


def eer(similarity: ArrayLike, is_genuine: ArrayLike) -> float:
    """Equal error rate in [0, 1]: where the straight lines between the ROC's points cross FMR = FNMR."""
    curve = roc(similarity, is_genuine)
    gap = curve.fnmr - curve.fmr  # from −1 to 1, never falling
    i = int(np.argmax(gap >= 0))
    share = -gap[i - 1] / (gap[i] - gap[i - 1])
    return float(curve.fnmr[i - 1] + share * (curve.fnmr[i] - curve.fnmr[i - 1]))


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """Verification accuracy: ``mean`` and ``std`` over the folds, in [0, 1]; ``per_fold`` and ``threshold``
    (folds,).
    """

    mean: float
    std: float
    per_fold: NDArray[np.float64]
    threshold: NDArray[np.float64]


def lfw_accuracy(similarity: ArrayLike, is_genuine: ArrayLike, folds: int | ArrayLike = 10) -> Accuracy:
    """Accuracy by the LFW protocol: each fold is judged at the threshold that is best on all the others.

    ``folds``: a number (consecutive equal parts, the order of LFW's pairs.txt and of InsightFace's ``.bin``)
    or the fold of each pair (n,). The threshold is midway between the two scores that it separates; of
    equally good ones the lowest is taken. Source: Huang et al., Labeled Faces in the Wild, 2007.
    """
    score, label = as_floats(similarity).ravel(), as_labels(is_genuine)
    check_lengths("similarity", score, "is_genuine", label)
    check_no_nan("similarity", score)
    fold = np.arange(len(score)) * folds // len(score) if isinstance(folds, int) else np.asarray(folds)
    check_lengths("similarity", score, "folds", fold)
    names = np.unique(fold)
    if len(names) < 2:
        raise UsageError(
            f"LFW accuracy needs at least 2 folds with pairs, but got {len(names)} from {len(score)} pairs"
        )
    order = np.argsort(score, kind="stable")
    accuracy, thresholds = [], []
    for name in names:
        train = order[fold[order] != name]
        s, g = score[train], label[train]
        # cut i puts the i lowest on the non-match side; a cut between equal scores isn't possible
        correct = np.r_[0, np.cumsum(~g)] + (g.sum() - np.r_[0, np.cumsum(g)])
        correct[1:-1][s[1:] == s[:-1]] = -1
        edges = np.r_[s[0], (s[1:] + s[:-1]) / 2, np.nextafter(s[-1], np.inf, dtype=s.dtype)]
        threshold = edges[np.argmax(correct)]
        test = fold == name
        accuracy.append(np.mean((score[test] >= threshold) == label[test]))
        thresholds.append(threshold)
    return Accuracy(
        mean=float(np.mean(accuracy)),
        std=float(np.std(accuracy)),
        per_fold=np.array(accuracy),
        threshold=np.array(thresholds, np.float64),
    )


# --- the two kinds of comparisons ---------------------------------------------------------------------------


def split(similarity: ArrayLike, is_genuine: ArrayLike) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """The mated and the non-mated scores, checked: equal lengths, no NaN, at least one of each (else
    DataError).
    """
    score, label = as_floats(similarity).ravel(), as_labels(is_genuine)
    check_lengths("similarity", score, "is_genuine", label)
    check_no_nan("similarity", score)
    genuine, impostor = score[label], score[~label]
    if not genuine.size:
        raise DataError(f"none of the {len(score)} comparisons is mated: there is no FNMR to measure")
    if not impostor.size:
        raise DataError(
            f"none of the {len(score)} comparisons is non-mated: add such pairs, they set the threshold"
        )
    return genuine, impostor


def _accepted(fmr: float, n: int) -> int:
    """How many of ``n`` non-mated comparisons may match: the largest k with k/n ≤ fmr."""
    if not 0.0 <= fmr < 1.0:
        raise UsageError(f"fmr must be in [0, 1), such as 1e-3, but got {fmr}")
    k = (
        int(fmr * n) + 1
    )  # the product may be rounded either way (0.29 × 100 is 28.999…): decide by the quotient
    while k / n > fmr:
        k -= 1
    return k


def _lowest_allowed(descending: NDArray[np.floating], k: int) -> np.floating[Any]:
    """The lowest score that at most ``k`` reach, else the next number above; given more than ``k`` scores."""
    refused = descending[k]  # reached by k + 1 or more
    above = descending[:k][descending[:k] > refused]
    lowest: np.floating[Any] = (
        above[-1] if above.size else np.nextafter(refused, np.inf, dtype=descending.dtype)
    )
    return lowest
