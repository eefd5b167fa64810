"""One data set and one judge → its curves and tables, as parts of a page."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from ...pages.charts import histogram
from ...pages.curves import Line, line_chart
from ...pages.markup import Html, render
from ...pages.page import Cell, chart_grid, legend, number, table
from ...pages.svg import shortened
from ..results import Comparison, Evaluation, Result

_MOST_NAMES = 17  # that fit beside a chart
_WIDEST = 1.25  # where the scale of the small intervals ends; 1 = random


def judged(
    evaluation: Evaluation, comparison: Comparison, styles: Mapping[str, int], key: str
) -> Iterator[Html]:
    """The part of a page on one comparison; ``styles``: method → its style, ``key``: makes ids unique."""
    settings = evaluation.settings
    yield render("<h2>{}, judged by {}</h2>", comparison.dataset, comparison.recognizer)
    accuracy = ""
    if comparison.accuracy is not None:
        mean, std = comparison.accuracy
        accuracy = f"; accuracy over its folds {mean:.2%} ± {std:.2%}"
    yield render(
        "<p>{:,} mated and {:,} non-mated comparisons; equal error rate {:.2%}{}.</p>",
        *(comparison.n_mated, comparison.n_non_mated, comparison.eer, accuracy),
    )
    if shortened(list(styles)) != list(styles) or len(styles) > _MOST_NAMES:
        yield legend([(name, style) for name, style in styles.items()])
    yield chart_grid(
        (
            _edc(evaluation, comparison, fmr, styles, f"{key}-{place}")
            for place, fmr in enumerate(settings.fmrs)
        ),
        large=True,
    )
    if settings.protocol == "fixed":
        yield Html('<p class="muted">Point at a curve, or touch it, to see its band.</p>')
    for fmr in settings.fmrs:
        yield _detail(evaluation, _of(evaluation, comparison, fmr), fmr)
    yield chart_grid([_similarity(comparison, key)])


def _edc(
    evaluation: Evaluation, comparison: Comparison, fmr: float, styles: Mapping[str, int], key: str
) -> tuple[str, Html]:
    """The curves at one FMR, with their caption."""
    settings, own = evaluation.settings, _of(evaluation, comparison, fmr)
    first = next(iter(styles))
    best = next((result.method for result in own if result.is_best), None)
    lines = [
        Line(
            name=result.method,
            style=styles[result.method],
            x=100 * result.curve.discard,
            y=100 * result.curve.error_rate,
            low=100 * result.curve.low,
            high=100 * result.curve.high,
            banded=result.method in (first, best),
        )
        for result in own
    ]
    caption = f"EDC at FMR {fmr:g}: {comparison.n_errors(fmr):,} errors without discarding"
    if settings.protocol == "fixed":
        of = first if best in (first, None) else f"{best}, the best, and {first}, named first"
        caption += f"; {settings.level:.0%} band of {of}"
    verdict = f"{best} has the lowest area. " if best else "There is no error to reduce. "
    chart = line_chart(
        key,
        f"EDC on {comparison.dataset} at FMR {fmr:g}",
        f"{verdict}FNMR without discarding: {100 * own[0].fnmr[0.0]:.2f} %. The table below has the numbers.",
        lines,
        ("discarded comparisons, %", "FNMR, %"),
        100 * min(0.95, max(0.5, settings.limit)),
        100 * settings.limit,
    )
    return caption, chart


def _similarity(comparison: Comparison, key: str) -> tuple[str, Html]:
    chart = histogram(
        f"{key}-h",
        f"Similarity on {comparison.dataset}",
        "Histogram of cosine similarity: non-mated pairs around 0, mated pairs higher.",
        comparison.edges,
        [("mated", 0, comparison.mated), ("non-mated", 1, comparison.non_mated)],
        "cosine similarity: mated solid, non-mated dashed",
    )
    return "Similarity of mated and non-mated pairs", chart


def _of(evaluation: Evaluation, comparison: Comparison, fmr: float) -> list[Result]:
    return [
        result
        for result in evaluation.results
        if (result.dataset, result.recognizer, result.fmr) == (comparison.dataset, comparison.recognizer, fmr)
    ]


def _detail(evaluation: Evaluation, results: Sequence[Result], fmr: float) -> Html:
    limit = evaluation.settings.limit
    shares = list(results[0].fnmr)
    rows: list[tuple[str, list[str | Cell]]] = []
    for result in sorted(results, key=lambda r: math.inf if math.isnan(r.normalised) else r.normalised):
        low, high = result.difference
        to_best = "best" if result.is_best else f"[{number(low)}, {number(high)}]"
        rows.append(
            (
                "best" if result.is_best else "",
                [
                    result.method,
                    area(result),
                    "–" if math.isnan(low) else to_best,
                    number(1e3 * result.pauc),
                    *(number(100 * result.fnmr[share], 2) for share in shares),
                    number(1e3 * result.auc, 2),
                    f"{result.fmr_after:.2g}",
                    number(result.spearman, 2),
                ],
            )
        )
    return table(
        f"FMR {fmr:g}. FNMR in % after discarding the given share; areas × 10³; FMR left after discarding "
        f"{limit:.0%} of the non-mated pairs; rank correlation with the similarity to the subject's centre.",
        [
            "method",
            "normalised pAUC",
            "difference to best",
            "pAUC",
            *(render("FNMR<br>{:.0%}", share) for share in shares),
            "AUC",
            render("FMR<br>{:.0%}", limit),
            "Spearman",
        ],
        rows,
    )


def area(result: Result, *, drawn: bool = False) -> Cell:
    """The normalised pAUC with its interval as a cell; ``drawn``: with a small picture if there is room."""
    value: Html | str = number(result.normalised)
    if not math.isnan(result.low):
        value = render("{} <small>[{}, {}]</small>", value, number(result.low), number(result.high))
    if drawn and not math.isnan(result.normalised):
        value = render("{}{}", value, _interval(result))
    return Cell(value, "best" if result.is_best else "good" if result.as_good else "")


def _interval(result: Result) -> Html:
    """A dot and its interval on a scale from 0 to beyond 1, where a line stands; decoration of a number."""

    def x(value: float) -> float:
        return 4 + 112 * min(max(value, 0.0), _WIDEST) / _WIDEST

    low, high = (result.normalised if math.isnan(end) else end for end in (result.low, result.high))
    return render(
        '<svg class="interval" viewBox="0 0 120 14" width="120" height="14" aria-hidden="true">'
        '<path class="axis" d="M4 7H116"/><path class="mark" d="M{one:.1f} 0V14"/>'
        '<path class="span" d="M{:.1f} 7H{:.1f}"/><circle class="dot" cx="{:.1f}" cy="7" r="3.5"/></svg>',
        *(x(low), x(high), x(result.normalised)),
        one=x(1.0),
    )
