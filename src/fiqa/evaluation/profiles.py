"""A data set, a judge and measures in → the calibration profile that makes raw scores mean something."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..calibration import Calibration, Profile
from ..errors import DataError, UsageError
from .calibrator import fit_acceptance, fit_percentile
from .datasets import Dataset
from .measurement import Align, measure
from .measures import Measure, as_measures
from .metrics.comparisons import Draws
from .metrics.verification import cosine_similarity
from .pairing import pairing_of
from .recognizers import PrecomputedEmbeddings, Recognizer, VectorCache, open_recognizer
from .results import Settings
from .score_lists import ListedScores

__all__ = ["calibrate", "fit_percentiles", "fit_profile"]


def fit_profile(
    dataset: Dataset,
    judge: Recognizer | PrecomputedEmbeddings | str | Path | None,
    measures: Any,
    *,
    model: str = "",
    settings: Settings | None = None,
    bins: int = 50,
    data: str = "",
    cache: VectorCache | None = None,
    align: Align | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    skip: Callable[[DataError], None] | None = None,
) -> Profile:
    """Calibrate measures on a data set whose identities are known.

    With a judge, 90 means: 90 % of mated comparisons are accepted at the FMR when this is the worse of the
    two images. Without one, the number is a percentile of the images.

    Args:
        dataset: single images, with pairs or subjects.
        judge: a recogniser, or the text that opens one; None for percentiles.
        measures: what :func:`as_measure` takes, or a list of such.
        model: the profile's model; by default that of a Scorer among the measures.
        settings: the first of its ``fmrs`` sets the threshold; it says how pairs and subjects are drawn.
        bins: as of :func:`fit_acceptance`.
        data: what the images are, for the sentences of the profile; by default the data set's name.
        cache, align, progress: as of :func:`evaluate`.
        skip: called for a measure that says nothing on this data; without it that error is raised.

    Raises:
        UsageError: a data set of templates, and what :func:`pairing_of` refuses.
        DataError: an image can't be used, or a measure can't be calibrated.

    Returns:
        The profile, for ``Scorer(profile=…)`` and ``Profile.save``.
    """
    settings = settings or Settings(fmrs=(1e-3,))
    if dataset.templates is not None:
        raise UsageError(f"data set {dataset.name!r} compares templates: calibrate on single images")
    judges = (
        [] if judge is None else [open_recognizer(str(judge)) if isinstance(judge, str | Path) else judge]
    )
    pairing = pairing_of(dataset, settings) if judges else None
    rated = as_measures(measures)
    of_set = None if progress is None else (lambda done, total: progress(dataset.name, done, total))
    found = measure(dataset, judges, rated, cache=cache, align=align, progress=of_set)
    where = data or f"{len(dataset)} images of {dataset.name}"
    draws, data = Draws(settings.n_resamples, settings.seed), data or dataset.name
    similarity = None
    if pairing is not None:
        similarity = cosine_similarity(found.embeddings[judges[0].name], pairing.pairs)

    def fit(spec: str, quality: NDArray[np.float64]) -> Calibration:
        if pairing is None or similarity is None:
            return fit_percentile(spec, quality, dataset.subjects, draws=draws, data=data)
        fmr = settings.fmrs[0]
        return fit_acceptance(spec, quality, pairing, similarity, fmr=fmr, bins=bins, draws=draws, data=data)

    calibrations: dict[str, Calibration] = {}
    for name, spec in _specs(rated).items():
        try:
            calibrations[spec] = fit(spec, found.quality[name])
        except DataError as error:
            if skip is None:
                raise
            skip(error)
    source = f"judged by {judges[0].name} on {where}" if judges else where
    return Profile(model or _model_of(measures), calibrations, source)


calibrate = fit_profile
"""The same under the name of the command."""


def fit_percentiles(lists: list[ListedScores], *, model: str = "", draws: Draws | None = None) -> Profile:
    """A profile of percentiles from score lists alone, without images.

    Raises:
        DataError: a list without two different scores.
    """
    calibrations = {
        one.name: fit_percentile(
            one.name, np.array(list(one.scores.values())), draws=draws, data=Path(one.source).name
        )
        for one in lists
    }
    source = "percentiles of " + ", ".join(Path(one.source).name for one in lists)
    return Profile(model, calibrations, source)


def _specs(rated: list[Measure]) -> dict[str, str]:
    """Name → what the profile calls it."""
    return {name: spec for one in rated for name, spec in zip(one.names, one.specs, strict=True)}


def _model_of(measures: Any) -> str:
    several = measures if isinstance(measures, list | tuple) else [measures]
    return next((one.card.name for one in several if hasattr(one, "card")), "")
