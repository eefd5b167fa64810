"""One data set, judged by one recogniser: embeddings and qualities in → the records of the reports out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..types import FloatArray
from .datasets import Dataset
from .metrics.comparisons import Comparisons, Draws
from .metrics.curves import Curve
from .metrics.intervals import Band, Resampled, bootstrap_band, bootstrap_pauc
from .metrics.protocols import edc_many, pair_quality
from .metrics.statistics import by_group, similarity_to_centre, spearman
from .metrics.verification import cosine_similarity, eer, fnmr_at_fmr, lfw_accuracy
from .pairing import Pairing
from .results import Comparison, Distribution, Result, Settings

__all__ = ["distribution", "judge"]

DISCARDS = (0.0, 0.05, 0.1, 0.2, 0.3)
BAND_RESAMPLES = 300  # a band is looked at, not read off to the last digit

Qualities = Mapping[str, NDArray[np.floating]]


def judge(
    dataset: Dataset,
    recognizer: str,
    pairing: Pairing,
    embeddings: FloatArray,
    qualities: Qualities,
    settings: Settings,
) -> tuple[Comparison, list[Result]]:
    """What the recogniser does alone, and one result per FMR and measure.

    Args:
        dataset: the set.
        recognizer: the judge's name.
        pairing: which of its items are compared.
        embeddings: (n, D) of its images.
        qualities: measure name → (n,) of its images.
        settings: what decides the figures.
    """
    items: Qualities = qualities
    if (templates := dataset.templates) is not None:
        embeddings = templates.pool_embeddings(embeddings)
        items = {name: templates.pool_quality(values) for name, values in qualities.items()}
    compared = pairing.compared(cosine_similarity(embeddings, pairing.pairs))
    centre = similarity_to_centre(embeddings, pairing.subjects)
    follows = {name: _spearman(values, centre) for name, values in items.items()}
    of_pairs = {name: pair_quality(values, pairing.pairs) for name, values in items.items()}
    similarity, label = compared.similarity, compared.is_genuine
    curves = {
        name: edc_many(quality, similarity, label, settings.fmrs, settings.protocol)
        for name, quality in of_pairs.items()
    }
    false_matches = {
        name: edc_many(quality, similarity, label, settings.fmrs, error="fmr")
        for name, quality in of_pairs.items()
    }
    results = []
    for fmr in settings.fmrs:
        ranking = _Ranking({name: curves[name][fmr] for name in of_pairs}, of_pairs, compared, fmr, settings)
        for name, quality in of_pairs.items():
            curve = curves[name][fmr]
            results.append(
                Result(
                    dataset=dataset.name,
                    recognizer=recognizer,
                    method=name,
                    fmr=fmr,
                    pauc=curve.pauc(settings.limit),
                    **ranking.place(name),
                    auc=curve.pauc(),
                    fnmr={share: curve.at(share) for share in sorted({*DISCARDS, settings.limit})},
                    fmr_after=false_matches[name][fmr].at(settings.limit),
                    spearman=follows[name],
                    curve=_band(quality, compared, curve, fmr, settings),
                )
            )
    return _alone(dataset.name, recognizer, compared, pairing.folds, settings), results


class _Ranking:
    """The measures at one FMR: areas, intervals, and how far each is from the best."""

    def __init__(
        self,
        curves: Mapping[str, Curve],
        of_pairs: Qualities,
        compared: Comparisons,
        fmr: float,
        settings: Settings,
    ) -> None:
        self._level = settings.level
        self._areas = {name: curve.pauc(settings.limit, normalised=True) for name, curve in curves.items()}
        known = {name: area for name, area in self._areas.items() if not np.isnan(area)}
        self._best = min(known, key=lambda name: known[name]) if known else None
        self._resampled: dict[str, Resampled] = {}
        if settings.protocol == "fixed":
            self._resampled = bootstrap_pauc(
                of_pairs, compared, fmr=fmr, limit=settings.limit, normalised=True,
                draws=Draws(settings.n_resamples, settings.seed),
            )  # fmt: skip

    def place(self, name: str) -> dict[str, Any]:
        """Those fields of a Result that tell its place among the others."""
        low = high = below = above = float("nan")
        if self._resampled:
            own = self._resampled[name]
            low, high = own.interval(self._level)
            if self._best is not None:
                below, above = (own - self._resampled[self._best]).interval(self._level)
        is_best = name == self._best
        return {
            "normalised": self._areas[name],
            "low": low,
            "high": high,
            "is_best": is_best,
            "as_good": is_best or bool(below <= 0),
            "difference": (below, above),
        }


def _band(
    quality: NDArray[np.floating], compared: Comparisons, curve: Curve, fmr: float, settings: Settings
) -> Band:
    if settings.protocol != "fixed":
        unknown = np.full(len(curve.discard), np.nan)
        return Band(discard=curve.discard, error_rate=curve.error_rate, low=unknown, high=unknown)
    draws = Draws(min(settings.n_resamples, BAND_RESAMPLES), settings.seed)
    return bootstrap_band(quality, compared, fmr=fmr, level=settings.level, draws=draws)


def _alone(
    dataset: str,
    recognizer: str,
    compared: Comparisons,
    folds: NDArray[np.integer] | None,
    settings: Settings,
) -> Comparison:
    similarity, label = compared.similarity, compared.is_genuine
    edges = np.linspace(-1.0, 1.0, 81)
    clipped = np.clip(similarity, -1.0, 1.0)
    accuracy = None
    if folds is not None and len(np.unique(folds)) > 1:
        accuracy = lfw_accuracy(similarity, label, folds)
    return Comparison(
        dataset=dataset,
        recognizer=recognizer,
        n_mated=int(label.sum()),
        n_non_mated=int((~label).sum()),
        eer=eer(similarity, label),
        accuracy=None if accuracy is None else (accuracy.mean, accuracy.std),
        operating={fmr: fnmr_at_fmr(similarity, label, fmr) for fmr in settings.fmrs},
        edges=edges,
        mated=np.histogram(clipped[label], edges)[0],
        non_mated=np.histogram(clipped[~label], edges)[0],
    )


def distribution(
    dataset: Dataset, name: str, quality: NDArray[np.float64], settings: Settings
) -> Distribution:
    """How the scores (n,) of one measure spread over a data set."""
    finite = quality[np.isfinite(quality)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    edges = np.linspace(low, high if high > low else low + 1.0, 41)
    order = np.argsort(quality, kind="stable")
    n = min(settings.n_faces, len(order) // 2)

    def named(rows: NDArray[np.intp]) -> tuple[tuple[int, str, float], ...]:
        return tuple((int(row), dataset.names[row], float(quality[row])) for row in rows)

    return Distribution(
        dataset=dataset.name,
        method=name,
        n_images=len(quality),
        n_refused=len(quality) - len(finite),
        edges=edges,
        counts=np.histogram(finite, edges)[0],
        worst=named(order[:n]),
        best=named(order[::-1][:n]),
        groups={}
        if dataset.groups is None
        else by_group(np.where(np.isfinite(quality), quality, np.nan), dataset.groups),
        label_spearman=float("nan") if dataset.labels is None else _spearman(quality, dataset.labels),
    )


def _spearman(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    known = np.isfinite(a) & np.isfinite(b)
    return spearman(a[known], b[known]) if known.sum() > 1 else float("nan")
