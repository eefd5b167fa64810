"""Which quality to trust: methods × data sets × recognisers × FMRs, judged in one call.

``fiqa.evaluation.report`` writes what comes out: JSON, CSV, LaTeX and a page.
"""

from __future__ import annotations

import platform
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, UsageError
from ..types import FloatArray
from .datasets import Dataset
from .datasets._common import subjects_from_pairs
from .measures import Align, Measures, measure, measure_details, measure_names, unique_names
from .metrics.curves import UnreliableFMR, edc_many, pair_quality
from .metrics.statistics import Band, bootstrap_band, bootstrap_pauc, by_group, similarity_to_centre, spearman
from .metrics.verification import (
    cosine_similarity,
    eer,
    fnmr_at_fmr,
    lfw_accuracy,
    mated_pairs,
    non_mated_pairs,
)
from .recognizers import PrecomputedEmbeddings, Recognizer, VectorCache
from .results import Comparison, Distribution, Evaluation, Result, Settings

__all__ = [
    "Comparison",
    "Comparisons",
    "Distribution",
    "Evaluation",
    "Result",
    "Settings",
    "comparisons_of",
    "evaluate",
]

DISCARDS = (0.0, 0.05, 0.1, 0.2, 0.3)
BAND_RESAMPLES = 300  # a band is looked at, not read off to the last digit


@dataclass(frozen=True)
class Comparisons:
    """Pairs of items of a data set: ``pairs`` (m, 2), ``is_genuine`` (m,), ``subjects`` (n,) of the items."""

    pairs: NDArray[np.integer]
    is_genuine: NDArray[np.bool_]
    subjects: NDArray[np.str_]
    folds: NDArray[np.integer] | None = None


def evaluate(
    datasets: Sequence[Dataset],
    recognizers: Sequence[Recognizer | PrecomputedEmbeddings],
    measures: Sequence[Measures],
    settings: Settings | None = None,
    *,
    cache: VectorCache | None = None,
    align: Align | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Evaluation:
    """Judge each quality measure on each data set by each recogniser.

    progress: called with the data set's name, images done and images in all. Stop it at any time: with a
    ``cache`` the next call goes on where it was.

    Raises UsageError for nothing to judge and for names that are not unique, DataError for a data set without
    mated or non-mated pairs or of one subject, and what ``measure`` raises.
    """
    settings = settings or Settings()
    names = measure_names(measures)
    for what, given in (
        ("data sets", [dataset.name for dataset in datasets]),
        ("recognisers", [recognizer.name for recognizer in recognizers]),
        ("methods", names),
    ):
        if not given:
            raise UsageError(f"there are no {what} to evaluate: give at least one.")
        unique_names(given, what)
    notes = [
        f"{name} runs the network of {recognizer.name}, which also judges it: prefer another judge."
        for recognizer in recognizers
        for one in measures
        for name, identity in zip(getattr(one, "names", ()), getattr(one, "identities", ()), strict=True)
        if not isinstance(recognizer, PrecomputedEmbeddings) and recognizer.identity in identity
    ]
    comparisons: list[Comparison] = []
    results: list[Result] = []
    distributions: list[Distribution] = []
    sizes: dict[str, dict[str, int]] = {}
    for dataset in datasets:
        chosen = comparisons_of(dataset, settings)  # before the long pass: a data set that can't be judged
        found = measure(
            dataset,
            recognizers,
            measures,
            cache=cache,
            align=align,
            progress=None if progress is None else _named(progress, dataset.name),
        )
        sizes[dataset.name] = {
            "images": len(dataset),
            "items": dataset.n_items,
            "subjects": len(np.unique(chosen.subjects)),
            "mated": int(chosen.is_genuine.sum()),
            "non_mated": int((~chosen.is_genuine).sum()),
        }
        for name in names:
            distributions.append(_distribution(dataset, name, found.quality[name], settings))
        for recognizer in recognizers:
            embeddings = found.embeddings[recognizer.name]
            if dataset.templates is not None:
                embeddings = dataset.templates.pool_embeddings(embeddings)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always", UnreliableFMR)
                comparison, rows = _judge(
                    dataset, recognizer.name, chosen, embeddings, found.quality, settings
                )
            comparisons.append(comparison)
            results += rows
            notes += [f"{dataset.name}: {warning.message}" for warning in caught]
    return Evaluation(
        settings,
        measure_details(measures),
        sizes,
        tuple(recognizer.name for recognizer in recognizers),
        tuple(comparisons),
        tuple(results),
        tuple(distributions),
        tuple(dict.fromkeys(notes)),
        _versions(),
    )


def comparisons_of(dataset: Dataset, settings: Settings) -> Comparisons:
    """Which comparisons to make: the listed ones, or all against all, sampled as ``settings`` say.

    Raises UsageError for all-against-all of a set that tells no identities or has templates, DataError for
    one without mated or non-mated pairs.
    """
    listed = dataset.pairs is not None and dataset.is_genuine is not None
    subjects = dataset.subjects
    if listed:
        assert dataset.pairs is not None
        assert dataset.is_genuine is not None
        inferred = subjects_from_pairs(dataset.n_items, dataset.pairs, dataset.is_genuine)
        if settings.pairs == "listed":
            _both_kinds(dataset, dataset.is_genuine)
            return Comparisons(
                dataset.pairs, dataset.is_genuine, inferred if subjects is None else subjects, dataset.folds
            )
        if subjects is None or dataset.templates is not None or np.array_equal(subjects, inferred):
            raise UsageError(
                f"data set {dataset.name!r} tells which pairs are mated but not who is on each image, so it "
                "can't be compared all against all: use its listed pairs."
            )
    assert subjects is not None
    mated = mated_pairs(subjects, settings.per_subject, settings.seed)
    _, counts = np.unique(subjects, return_counts=True)
    n_possible = int((len(subjects) ** 2 - (counts.astype(np.int64) ** 2).sum()) // 2)
    non_mated = non_mated_pairs(subjects, min(settings.n_non_mated, n_possible), settings.seed)
    is_genuine = np.arange(len(mated) + len(non_mated)) < len(mated)
    _both_kinds(dataset, is_genuine)
    return Comparisons(np.concatenate([mated, non_mated]), is_genuine, subjects)


def _both_kinds(dataset: Dataset, is_genuine: NDArray[np.bool_]) -> None:
    if not is_genuine.any():
        raise DataError(f"data set {dataset.name!r} has no mated pair: it needs two images of a subject.")
    if is_genuine.all():
        raise DataError(f"data set {dataset.name!r} has no non-mated pair: it needs two subjects.")


def _judge(
    dataset: Dataset,
    recognizer: str,
    chosen: Comparisons,
    embeddings: FloatArray,
    qualities: dict[str, NDArray[np.float64]],
    settings: Settings,
) -> tuple[Comparison, list[Result]]:
    similarity = cosine_similarity(embeddings, chosen.pairs)
    label, owner = chosen.is_genuine, chosen.subjects[chosen.pairs[:, 0]]
    items = qualities
    if dataset.templates is not None:
        items = {name: dataset.templates.pool_quality(values) for name, values in qualities.items()}
    of_pairs = {name: pair_quality(values, chosen.pairs) for name, values in items.items()}
    centre = similarity_to_centre(embeddings, chosen.subjects)
    follows = {name: _spearman(values, centre) for name, values in items.items()}
    curves = {
        n: edc_many(q, similarity, label, settings.fmrs, settings.protocol) for n, q in of_pairs.items()
    }
    false_matches = {
        n: edc_many(q, similarity, label, settings.fmrs, error="fmr") for n, q in of_pairs.items()
    }
    results = []
    for fmr in settings.fmrs:
        areas = {name: curves[name][fmr].pauc(settings.limit, normalised=True) for name in of_pairs}
        known = {name: area for name, area in areas.items() if not np.isnan(area)}
        winner = min(known, key=lambda name: known[name]) if known else None
        resampled = {}
        if settings.protocol == "fixed":
            resampled = bootstrap_pauc(
                of_pairs,
                similarity,
                label,
                owner,
                fmr,
                settings.limit,
                True,
                settings.n_resamples,
                settings.seed,
            )
        for name, quality in of_pairs.items():
            curve = curves[name][fmr]
            low = high = below = above = float("nan")
            band = Band(curve.discard, curve.error_rate, *[np.full(len(curve.discard), np.nan)] * 2)
            if resampled:
                low, high = resampled[name].interval(settings.level)
                band = bootstrap_band(
                    quality, similarity, label, owner, fmr, level=settings.level, seed=settings.seed,
                    n_resamples=min(settings.n_resamples, BAND_RESAMPLES),
                )  # fmt: skip
                if winner is not None:
                    below, above = (resampled[name] - resampled[winner]).interval(settings.level)
            results.append(
                Result(
                    dataset.name,
                    recognizer,
                    name,
                    fmr,
                    pauc=curve.pauc(settings.limit),
                    normalised=areas[name],
                    low=low,
                    high=high,
                    is_best=name == winner,
                    as_good=name == winner or bool(below <= 0),
                    difference=(below, above),
                    auc=curve.pauc(),
                    fnmr={share: curve.at(share) for share in sorted({*DISCARDS, settings.limit})},
                    fmr_after=false_matches[name][fmr].at(settings.limit),
                    spearman=follows[name],
                    curve=band,
                )
            )
    edges = np.linspace(-1.0, 1.0, 81)
    clipped = np.clip(similarity, -1.0, 1.0)
    folds = chosen.folds if chosen.folds is not None and len(np.unique(chosen.folds)) > 1 else None
    accuracy = lfw_accuracy(similarity, label, folds) if folds is not None else None
    comparison = Comparison(
        dataset.name,
        recognizer,
        int(label.sum()),
        int((~label).sum()),
        eer(similarity, label),
        None if accuracy is None else (accuracy.mean, accuracy.std),
        {fmr: fnmr_at_fmr(similarity, label, fmr) for fmr in settings.fmrs},
        edges,
        np.histogram(clipped[label], edges)[0],
        np.histogram(clipped[~label], edges)[0],
    )
    return comparison, results


def _distribution(
    dataset: Dataset, name: str, quality: NDArray[np.float64], settings: Settings
) -> Distribution:
    finite = quality[np.isfinite(quality)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    edges = np.linspace(low, high if high > low else low + 1.0, 41)
    order = np.argsort(quality, kind="stable")
    n = min(settings.n_faces, len(order) // 2)

    def named(rows: NDArray[np.intp]) -> tuple[tuple[int, str, float], ...]:
        return tuple((int(row), dataset.names[row], float(quality[row])) for row in rows)

    return Distribution(
        dataset.name,
        name,
        len(quality),
        len(quality) - len(finite),
        edges,
        np.histogram(finite, edges)[0],
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


def _named(progress: Callable[[str, int, int], None], name: str) -> Callable[[int, int], None]:
    return lambda done, total: progress(name, done, total)


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "machine": f"{platform.system()} {platform.machine()}"}
    for package in ("fiqa", "numpy", "pillow", "onnxruntime", "openvino", "torch"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
