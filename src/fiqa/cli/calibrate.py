"""fiqa calibrate: scores with a data set and a judge, or alone, in → a profile and its gates out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import specs
from ..errors import UsageError
from . import judging
from .scorer_options import Given, make_scorer, scorer_options
from .tables import print_gates

if TYPE_CHECKING:
    from ..types import ModelCard


@scorer_options("method", "model", "engine", "threads", "heads", "no_cache")
def calibrate(
    output: Annotated[Path, typer.Option("--output", "-o", help="The profile to write, .json.")],
    dataset: judging.AnyDataset = None,
    recognizer: judging.AnyRecognizer = None,
    *,
    given: Given,
    scores: judging.Scores = None,
    fmr: Annotated[float, typer.Option(help="FMR at which a judge accepts.")] = 1e-3,
    pairs: judging.Pairs = "listed",
    resamples: judging.Resamples = 1000,
    seed: judging.Seed = 0,
    align: judging.AlignImages = "none",
    cache: judging.Cache = None,
) -> None:
    """Make a profile that turns raw scores into 0–100, for 'fiqa score --profile'.

    With a data set and a judge, 90 means: 90 % of mated comparisons are accepted at the FMR when this is the
    worse of the two images. With scores alone, or a data set without a judge, it is a percentile.
    """
    from ..evaluation import Draws, ListedScores, Settings, VectorCache, fit_percentiles, fit_profile
    from ..models import find

    if not given["method"] and not scores:
        raise UsageError("there is nothing to calibrate: give --method, or --scores NAME=FILE.csv")
    if dataset is None and (given["method"] or recognizer):
        raise UsageError("methods and judges need images: give --dataset KIND=PATH")
    specs.choice("--pairs", pairs, ("listed", "all"))
    card = find(given["model"], heads=given["heads"]).card
    lists = [judging.read_score_list(text) for text in scores or ()]
    lists = [ListedScores(_resolved(one.name, card), one.source, one.scores) for one in lists]
    if dataset is None:
        profile = fit_percentiles(lists, model=card.name, draws=Draws(resamples, seed))
    else:
        (chosen,) = judging.read_datasets([dataset])
        measures: list[Any] = [make_scorer(given, align="none")] if given["method"] else []
        judge = judging.read_recognizers([recognizer], given["threads"])[0] if recognizer else None
        settings = Settings(fmrs=(fmr,), pairs=pairs, n_resamples=resamples, seed=seed)  # type: ignore[arg-type]
        with (
            judging.kept_on_interrupt("embeddings and scores are kept, give the same command to go on"),
            VectorCache(cache or output.with_suffix(".cache.sqlite")) as store,
            judging.progress_bars() as progress,
        ):
            profile = fit_profile(
                chosen, judge, [*measures, *lists], model=card.name, settings=settings, cache=store,
                align=judging.aligner(align), progress=progress,
            )  # fmt: skip
    output.parent.mkdir(parents=True, exist_ok=True)
    profile.save(output)
    for calibration in profile.calibrations.values():
        print(f"{calibration.spec}: {calibration.meaning}")
    print_gates(profile)
    print(output)


def _resolved(name: str, card: ModelCard) -> str:
    """The name of a score list as a scorer will look it up: a method's whole spec, any other as it is."""
    from ..methods import METHODS, parse

    return str(parse(name, card)) if specs.split(name)[0] in METHODS else name
