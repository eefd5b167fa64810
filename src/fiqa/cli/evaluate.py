"""fiqa evaluate: data sets, judges and measures in → a report of which quality to trust."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import specs
from ..errors import UsageError
from . import judging
from .common import say
from .scorer_options import Given, make_scorer, scorer_options

if TYPE_CHECKING:
    from ..evaluation import Evaluation, Measure


@scorer_options("method", "model", "engine", "threads", "heads", "no_cache")
def evaluate(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for results and report.html.")],
    dataset: judging.Datasets = None,
    recognizer: judging.Recognizers = None,
    *,
    given: Given,
    rival: Annotated[
        list[str] | None,
        typer.Option("--rival", help="NAME[:option=value,…]; repeatable. See 'fiqa methods'."),
    ] = None,
    scores: judging.Scores = None,
    fmr: Annotated[
        list[float] | None,
        typer.Option(help="FMR at which a judge accepts; repeatable.", show_default="1e-3, 1e-4"),
    ] = None,
    discard: Annotated[float, typer.Option(help="The pAUC runs to this share of discarded pairs.")] = 0.3,
    protocol: Annotated[str, typer.Option(help="fixed (ISO/IEC 29794-1) or recomputed.")] = "fixed",
    pairs: judging.Pairs = "listed",
    mated_per_subject: Annotated[
        int, typer.Option(min=1, help="Mated comparisons per subject, of all against all.")
    ] = 300,
    non_mated: Annotated[
        int, typer.Option(min=1, help="Non-mated comparisons in the sample, of all against all.")
    ] = 1_000_000,
    resamples: judging.Resamples = 1000,
    seed: judging.Seed = 0,
    align: judging.AlignImages = "none",
    no_faces: Annotated[
        bool, typer.Option("--no-faces", help="Neither faces nor names in the report.")
    ] = False,
    cache: judging.Cache = None,
) -> None:
    """Which quality to trust: EDC of methods, rivals and other tools' scores, judged by recognisers.

    Writes report.html, results.json, results.csv and table.tex. A stopped run goes on where it was: give the
    same output folder.
    """
    from ..evaluation import Settings, VectorCache, write_report
    from ..evaluation import evaluate as judge

    specs.choice("--protocol", protocol, ("fixed", "recomputed"))
    specs.choice("--pairs", pairs, ("listed", "all"))
    settings = Settings(
        fmrs=tuple(fmr or (1e-3, 1e-4)),
        limit=discard,
        protocol=protocol,  # type: ignore[arg-type]  # checked above
        pairs=pairs,  # type: ignore[arg-type]
        per_subject=mated_per_subject,
        n_non_mated=non_mated,
        n_resamples=resamples,
        seed=seed,
    )
    align_image = judging.aligner(align)
    sets, judges = judging.read_datasets(dataset), judging.read_recognizers(recognizer, given["threads"])
    if not given["method"] and not rival and not scores:
        raise UsageError("there is nothing to evaluate: give --method, --rival or --scores")
    measures: list[Any] = [make_scorer(given, align="none")] if given["method"] else []
    measures += _rivals(rival or ())
    measures += [judging.read_score_list(text) for text in scores or ()]
    with (
        judging.kept_on_interrupt("embeddings and scores are kept, give the same command to go on"),
        VectorCache(cache or output / "cache.sqlite") as store,
        judging.progress_bars() as progress,
    ):
        found = judge(sets, judges, measures, settings, cache=store, align=align_image, progress=progress)
        page = write_report(found, output, () if no_faces else sets, align_image)
    for note in found.notes:
        say(f"note: {note}")
    _print_results(found)
    print(page)


def _rivals(texts: Sequence[str]) -> list[Measure]:
    """Each rival, called by its whole spec where another has its name."""
    from ..evaluation import as_measure, open_rival

    opened = {text: open_rival(text) for text in dict.fromkeys(texts)}
    names = [one.name for one in opened.values()]
    return [as_measure(one, one.name if names.count(one.name) == 1 else text) for text, one in opened.items()]


def _print_results(evaluation: Evaluation) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, header_style="bold", title=None)
    for name in ("data set", "judge", "FMR", "method", "pAUC (1 = random)", "interval", ""):
        table.add_column(name, justify="left" if name in ("data set", "judge", "method", "") else "right")
    for result in evaluation.results:
        interval = "" if result.low != result.low else f"{result.low:.3f} – {result.high:.3f}"
        value = "–" if result.normalised != result.normalised else f"{result.normalised:.3f}"
        mark = "best" if result.is_best else "as good" if result.as_good else ""
        table.add_row(
            escape(result.dataset), escape(result.recognizer), f"{result.fmr:g}", escape(result.method),
            value, interval, mark, style="bold" if result.is_best else None,
        )  # fmt: skip
    Console(width=None if sys.stdout.isatty() else 160).print(table)
