"""The definitions, pair by pair, slow on purpose: what the fast code is compared with."""

from __future__ import annotations

import math
from collections.abc import Sequence


def threshold(impostor: Sequence[float], fmr: float) -> float:
    """The lowest non-mated score t with FMR(score >= t) <= fmr, or the next number above the highest."""
    good = [t for t in impostor if sum(s >= t for s in impostor) / len(impostor) <= fmr]
    return min(good) if good else math.nextafter(max(impostor), math.inf)


def fixed(
    quality: Sequence[float],
    similarity: Sequence[float],
    is_genuine: Sequence[bool],
    fmr: float,
    mated: bool = True,
) -> tuple[list[float], list[float], float]:
    """(discard, error rate, threshold): discard the pairs below each quality in turn, then all of them."""
    pairs = list(zip(quality, similarity, is_genuine, strict=True))
    t = threshold([s for _, s, g in pairs if not g], fmr)
    counted = [(q, (s < t) if mated else (s >= t)) for q, s, g in pairs if g == mated]
    discard, rate = [], []
    for level in sorted({q for q, _ in counted}):
        left = [wrong for q, wrong in counted if q >= level]
        discard.append(1 - len(left) / len(counted))
        rate.append(sum(left) / len(left))
    return [*discard, 1.0], [*rate, 0.0], t


def step_area(discard: Sequence[float], rate: Sequence[float], limit: float) -> float:
    total = 0.0
    for left, right, height in zip(discard[:-1], discard[1:], rate[:-1], strict=True):
        total += max(min(right, limit) - left, 0.0) * height
    return total


def best_area(start: float, limit: float, n: int = 20000) -> float:
    """The midpoint sum of max(start − x, 0) over [0, limit]."""
    return sum(max(start - (i + 0.5) * limit / n, 0.0) for i in range(n)) * limit / n


def recomputed(
    quality: Sequence[float], similarity: Sequence[float], is_genuine: Sequence[bool], fmr: float
) -> list[float]:
    """FNMR after 0, 5 … 95 % of all pairs, for different qualities; every score is tried as the threshold."""
    pairs = sorted(zip(quality, similarity, is_genuine, strict=True))
    rates = []
    held: float | None = None
    for step in range(20):
        left = pairs[int(step * 0.05 * len(pairs)) :]
        impostor = [s for _, s, g in left if not g]
        genuine = [s for _, s, g in left if g]
        scores = sorted({s for _, s, _ in left})
        if impostor and genuine:
            distance = [abs(sum(i >= t for i in impostor) / len(impostor) - fmr) for t in scores]
            nearest = distance.index(min(distance))
            held = scores[nearest + 1] if nearest + 1 < len(scores) else math.nextafter(scores[-1], math.inf)
        rates.append(sum(s < held for s in genuine) / len(genuine) if genuine and held is not None else 0.0)
    return rates
