"""Which quality to trust: measures × data sets × recognisers × FMRs, judged in one call.

``fiqa.evaluation.report`` writes what comes out: JSON, CSV, LaTeX and a page.
"""

from __future__ import annotations

import platform
import warnings
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UsageError
from .datasets import Dataset
from .judgement import distribution, judge
from .measurement import Align, measure
from .measures import Measure, as_measures, names_of, unique_names
from .metrics.protocols import UnreliableFMR
from .pairing import pairing_of
from .recognizers import PrecomputedEmbeddings, Recognizer, VectorCache, open_recognizer
from .results import Comparison, Distribution, Evaluation, Result, Settings

__all__ = ["evaluate"]

MOST_FEW = 100  # errors below which an interval is doubted
Judge = Recognizer | PrecomputedEmbeddings


def evaluate(
    datasets: Dataset | Sequence[Dataset],
    recognizers: Judge | str | Path | Sequence[Judge | str | Path],
    measures: Any,
    settings: Settings | None = None,
    *,
    cache: VectorCache | None = None,
    align: Align | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Evaluation:
    """Judge each quality measure on each data set by each recogniser.

    Args:
        datasets: one or several.
        recognizers: the judges, one or several; a text is opened with :func:`open_recognizer`.
        measures: what :func:`as_measure` takes (a Scorer, a function, an array, a CSV …), or a list of such.
        settings: what decides the figures; by default ``Settings()``.
        cache: keeps embeddings and scores: a stopped call goes on where it was.
        align: for images that are not 112×112 crops, as of ``iter_crops``.
        progress: called with the data set's name, images done and images in all.

    Raises:
        UsageError: nothing to judge, or names that are not unique.
        DataError: a data set without mated or non-mated pairs or of one subject, and what ``measure`` raises.
    """
    settings = settings or Settings()
    sets = [datasets] if isinstance(datasets, Dataset) else list(datasets)
    judges = _opened(recognizers)
    rated = as_measures(measures)
    for what, given in (
        ("data sets", [dataset.name for dataset in sets]),
        ("recognisers", [recognizer.name for recognizer in judges]),
        ("methods", names_of(rated)),
    ):
        if not given:
            raise UsageError(f"there are no {what} to evaluate: give at least one")
        unique_names(given, what)
    notes = _own_judges(judges, rated)
    comparisons: list[Comparison] = []
    results: list[Result] = []
    distributions: list[Distribution] = []
    sizes: dict[str, dict[str, int]] = {}
    for dataset in sets:
        pairing = pairing_of(dataset, settings)  # before the long pass: a data set that can't be judged
        of_set = None if progress is None else _named(progress, dataset.name)
        found = measure(dataset, judges, rated, cache=cache, align=align, progress=of_set)
        sizes[dataset.name] = {
            "images": len(dataset),
            "items": dataset.n_items,
            "subjects": len(np.unique(pairing.subjects)),
            "mated": int(pairing.is_genuine.sum()),
            "non_mated": int((~pairing.is_genuine).sum()),
        }
        distributions += [distribution(dataset, name, q, settings) for name, q in found.quality.items()]
        for recognizer in judges:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always", UnreliableFMR)
                embeddings = found.embeddings[recognizer.name]
                comparison, rows = judge(
                    dataset, recognizer.name, pairing, embeddings, found.quality, settings
                )
            comparisons.append(comparison)
            results += rows
            notes += [f"{dataset.name}: {warning.message}" for warning in caught]
            notes += _few_errors(comparison) if settings.protocol == "fixed" else []
    return Evaluation(
        settings=settings,
        methods={name: detail for one in rated for name, detail in zip(one.names, one.details, strict=True)},
        datasets=sizes,
        recognizers=tuple(recognizer.name for recognizer in judges),
        comparisons=tuple(comparisons),
        results=tuple(results),
        distributions=tuple(distributions),
        notes=tuple(dict.fromkeys(notes)),
        versions=_versions(),
    )


def _opened(given: Any) -> list[Judge]:
    several = isinstance(given, list | tuple)
    return [
        open_recognizer(str(one)) if isinstance(one, str | Path) else one
        for one in (given if several else [given])
    ]


def _own_judges(judges: Sequence[Judge], rated: Sequence[Measure]) -> list[str]:
    return [
        f"{name} runs the network of {recognizer.name}, which also judges it: prefer another judge"
        for recognizer in judges
        for one in rated
        for name, identity in zip(one.names, one.identities or one.names, strict=True)
        if not isinstance(recognizer, PrecomputedEmbeddings) and recognizer.identity in identity
    ]


def _few_errors(comparison: Comparison) -> list[str]:
    """What to say where so few errors carry the intervals that they may not hold what they promise."""
    return [
        f"{comparison.dataset}, judged by {comparison.recognizer}: {comparison.n_errors(fmr)} of "
        f"{comparison.n_mated:,} mated comparisons are errors at FMR {fmr:g}; an interval that fewer than "
        f"{MOST_FEW} errors carry is rough: take more pairs or a higher FMR"
        for fmr in comparison.operating
        if comparison.n_errors(fmr) < MOST_FEW
    ]


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
