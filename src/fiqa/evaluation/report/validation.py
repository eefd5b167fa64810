"""The page of ``fiqa validate``: how each method follows known degradations."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ...pages.charts import Box, Dots, box_plot, dot_chart
from ...pages.markup import Html, render
from ...pages.page import Cell, chart_grid, legend, notes, number, page, table
from ..validator import Proposal, Validation

__all__ = ["write_validation"]


def write_validation(
    validations: Mapping[str, Validation],
    folder: str | Path,
    n_images: int,
    proposals: Mapping[str, Proposal] | None = None,
    remarks: tuple[str, ...] = (),
    model: str = "",
) -> Path:
    """Write ``validation.json`` and ``validation.html`` into ``folder``.

    Args:
        validations: {method spec: what was measured}.
        folder: made where it is missing.
        n_images: how many images were degraded.
        proposals: {method: proposal}; with them only the proposed settings get box plots.
        remarks: what a reader must know, a sentence each.
        model: name of the network that scored.

    Returns:
        Path of the page.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    shown = [p.spec for p in proposals.values()] if proposals else list(validations)
    document = {
        "format": "fiqa-validation",
        "schema": 1,
        "model": model,
        "n_images": n_images,
        "methods": {spec: _plain(validation) for spec, validation in validations.items()},
        "proposals": {
            method: {"spec": one.spec, "best": one.best, "level": list(one.level)}
            for method, one in (proposals or {}).items()
        },
        "remarks": list(remarks),
    }
    content = json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    (target / "validation.json").write_text(content, encoding="utf-8", errors="replace")
    html = page(
        "Does the quality fall when images get worse?",
        _body(validations, shown, n_images, proposals or {}, remarks, model),
    )
    (target / "validation.html").write_text(html, encoding="utf-8", errors="replace")
    return target / "validation.html"


def _plain(validation: Validation) -> dict[str, object]:
    low, high = validation.spearman.interval()
    return {
        "spearman": validation.spearman.estimate,
        "low": low,
        "high": high,
        "degradations": {
            ladder.kind: {
                "spearman": float(ladder.spearman.mean()),
                "monotone": ladder.monotone,
                "severity": ladder.severity.tolist(),
                "quantiles": ladder.quantiles.tolist(),
            }
            for ladder in validation.ladders
        },
    }


def _body(
    validations: Mapping[str, Validation],
    shown: list[str],
    n_images: int,
    proposals: Mapping[str, Proposal],
    remarks: tuple[str, ...],
    model: str,
) -> Iterator[Html]:
    yield render(
        "<p>{} images of yours, degraded step by step{}. A score that works falls with the severity: rank "
        "correlation −1. This shows order under known damage, not recognition errors; where you know who is "
        "on each image, <code>fiqa evaluate</code> tells more.</p>",
        *(n_images, f" and scored by {model}" if model else ""),
    )
    yield notes(remarks)
    if proposals:
        yield _proposed(validations, proposals)
    yield Html("<h2>Which damage the scores follow</h2>")
    yield from _overview(validations, shown)
    yield _correlations(validations, shown if proposals else [])
    for style, spec in enumerate(shown):
        yield render("<h2>{} by severity</h2>", spec)
        yield _boxes(validations[spec], style)


def _proposed(validations: Mapping[str, Validation], proposals: Mapping[str, Proposal]) -> Html:
    lines = table(
        "For each method the cheapest setting that is not significantly worse than the best",
        ["method", Cell("proposed setting", "text"), "Spearman", "as good", "tried"],
        [
            (
                "",
                [
                    method,
                    Cell(render("<code>{}</code>", one.spec), "text"),
                    number(validations[one.spec].spearman.estimate),
                    str(len(one.level)),
                    str(sum(spec.partition(":")[0] == method for spec in validations)),
                ],
            )
            for method, one in proposals.items()
        ],
    )
    return render("<h2>Proposal</h2>{}", lines)


def _overview(validations: Mapping[str, Validation], shown: Sequence[str]) -> Iterator[Html]:
    """One dot a method and degradation, before all the box plots."""
    ladders = {spec: {one.kind: one for one in validations[spec].ladders} for spec in shown}
    first = ladders[shown[0]]
    means = {spec: [float(own[kind].spearman.mean()) for kind in first] for spec, own in ladders.items()}
    hardest = sorted(range(len(first)), key=lambda place: min(values[place] for values in means.values()))
    kinds = [list(first)[place] for place in hardest]
    yield legend([(spec, style) for style, spec in enumerate(shown)], dots=True)
    series = [
        Dots(name=spec, style=style, values=[means[spec][place] for place in hardest])
        for style, spec in enumerate(shown)
    ]
    chart = dot_chart(
        "o",
        "Rank correlation of quality and severity, by degradation",
        "The numbers are in the table below.",
        kinds,
        series,
        "mean rank correlation with the severity",
        (-1.0, max(0.25, *(value for one in series for value in one.values))),
    )
    yield chart_grid(
        [("The further left, the better the score follows: −1 = it falls at every step", chart)], large=True
    )


def _correlations(validations: Mapping[str, Validation], proposed: Sequence[str]) -> Html:
    kinds = [ladder.kind for ladder in next(iter(validations.values())).ladders]
    ordered = sorted(validations.values(), key=lambda validation: validation.spearman.estimate)
    rows = []
    for validation in ordered:
        mean = (validation.spearman.estimate, *validation.spearman.interval())
        rows.append(
            (
                "best" if validation.spec in proposed else "",
                [
                    validation.spec,
                    render("{} <small>[{}, {}]</small>", *map(number, mean)),
                    *(number(float(ladder.spearman.mean()), 2) for ladder in validation.ladders),
                ],
            )
        )
    return table(
        "Mean over images; −1 = falls at every step, 0 = does not follow; 95 % intervals over images",
        ["method", "all", *kinds],
        rows,
    )


def _boxes(validation: Validation, style: int) -> Html:
    return chart_grid(
        (
            ladder.kind,
            box_plot(
                f"v{style}-{place}",
                f"{validation.spec} under {ladder.kind}",
                "Boxes from 25 to 75 %, whiskers at 5 and 95 %, by severity: medians "
                + ", ".join(f"{value:.3g}" for value in ladder.quantiles[2]),
                [
                    Box(f"{severity:.1f}", ladder.quantiles[:, step])
                    for step, severity in enumerate(ladder.severity)
                ],
                ("severity", "raw score"),
                style,
            ),
        )
        for place, ladder in enumerate(validation.ladders)
    )
