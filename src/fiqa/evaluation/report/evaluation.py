"""The page of ``fiqa evaluate``, and the files beside it."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from PIL import Image

from ...pages.markup import Html, join, render
from ...pages.page import Cell, chart_grid, legend, notes, number, page, table
from ...pages.svg import Box, Line, box_plot, histogram, line_chart
from ...types import ImageArray
from ..datasets import Dataset
from ..measurement import Align, crops_at
from ..results import Comparison, Distribution, Evaluation, Result, Settings
from .tables import csv_text, json_text, latex_text

__all__ = ["html_text", "write_report"]

THUMBNAIL = 80  # pixels: enough to see blur and pose, and a few kB a face

Faces = Mapping[tuple[str, int], str]
"""(data set, row) → data URI of the face."""


def write_report(
    evaluation: Evaluation,
    folder: str | Path,
    datasets: Sequence[Dataset] = (),
    align: Align | None = None,
) -> Path:
    """Write ``results.json``, ``results.csv``, ``table.tex`` and ``report.html`` into ``folder``.

    Args:
        evaluation: what :func:`fiqa.evaluation.evaluate` gave.
        folder: made where it is missing.
        datasets: those of the evaluation, for the worst and best faces; without them neither faces nor names
            of images are written anywhere.
        align: as of :func:`fiqa.evaluation.evaluate`, for faces that are no crops yet.

    Returns:
        Path of the page.

    Raises:
        OSError: the folder can't be written.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    faces = _faces(evaluation, datasets, align)
    for name, content in (
        ("results.json", json_text(evaluation, names=bool(faces))),
        ("results.csv", csv_text(evaluation)),
        ("table.tex", latex_text(evaluation)),
        ("report.html", html_text(evaluation, faces)),
    ):
        (target / name).write_text(content, encoding="utf-8", errors="replace")
    return target / "report.html"


def html_text(evaluation: Evaluation, faces: Faces | None = None) -> Html:
    """The page as one text."""
    return page("Which face image quality to trust", _body(evaluation, faces or {}))


def _body(evaluation: Evaluation, faces: Faces) -> Iterator[Html]:
    settings = evaluation.settings
    styles = {name: place for place, name in enumerate(evaluation.methods)}
    yield render("<p>{}</p>", _counted(evaluation))
    yield notes(evaluation.notes)
    yield _overview(evaluation)
    yield _how_to_read(settings)
    for number_, comparison in enumerate(evaluation.comparisons):
        yield from _judged(evaluation, comparison, styles, f"j{number_}")
    for place, dataset in enumerate(evaluation.datasets):
        own = [one for one in evaluation.distributions if one.dataset == dataset]
        yield render("<h2>Scores on {}</h2>", dataset)
        yield from _scores(own, styles, f"s{place}")
        yield from _extremes(own, faces)
    yield Html("<h2>How this was made</h2>")
    yield _facts(evaluation)


def _how_to_read(settings: Settings) -> Html:
    if settings.protocol == "fixed":
        protocol = render(
            "Intervals and bands hold {:.0%} of {} bootstrap draws of subjects; a method is <em>as good</em> "
            "when the interval of its paired difference to the best holds 0. The threshold is set once, on "
            "all non-mated comparisons (ISO/IEC 29794-1).",
            *(settings.level, settings.n_resamples),
        )
    else:
        protocol = Html(
            "The threshold is searched anew at each step (protocol <em>recomputed</em>), as in many "
            "published tables: no intervals, and a quality that discards hard impostors looks better than it "
            "is."
        )
    return render(
        "<details><summary>How to read this</summary><p>An error-versus-discard curve (EDC) shows the share "
        "of mated comparisons that are missed (FNMR) among those that remain when the pairs of lowest "
        "quality are discarded; a pair is as good as its worse image. The lower, the better. The normalised "
        "pAUC is the area under it up to {:.0%} discard, divided by that of random discarding: 1 = no "
        "better than chance, 0 = no error left at once. {}</p></details>",
        *(settings.limit, protocol),
    )


def _counted(evaluation: Evaluation) -> str:
    methods, fmrs = len(evaluation.methods), ", ".join(f"{fmr:g}" for fmr in evaluation.settings.fmrs)
    return (
        f"{methods} quality {'measures' if methods > 1 else 'measure'} on {', '.join(evaluation.datasets)}, "
        f"judged by {', '.join(evaluation.recognizers)} at FMR {fmrs}."
    )


def _overview(evaluation: Evaluation) -> Html:
    columns = list(dict.fromkeys((r.dataset, r.recognizer, r.fmr) for r in evaluation.results))
    cells = {(r.method, (r.dataset, r.recognizer, r.fmr)): r for r in evaluation.results}
    one_judge = len(evaluation.recognizers) == 1
    heads = [
        render("{}<br><small>{}FMR {:g}</small>", dataset, "" if one_judge else f"{recognizer}, ", fmr)
        for dataset, recognizer, fmr in columns
    ]
    rows: list[tuple[str, list[str | Cell]]] = [
        ("", [method, *(_mark(cells[method, column]) for column in columns)]) for method in evaluation.methods
    ]
    return table(
        f"Normalised pAUC to {evaluation.settings.limit:.0%} discard (lower is better, 1 = random). "
        "Bold: best; underlined: as good.",
        ["method", *heads],
        rows,
    )


def _mark(result: Result) -> Cell:
    value: str = number(result.normalised)
    if not math.isnan(result.low):
        value = render("{} <small>[{}, {}]</small>", value, number(result.low), number(result.high))
    return Cell(value, "best" if result.is_best else "good" if result.as_good else "")


def _judged(
    evaluation: Evaluation, comparison: Comparison, styles: Mapping[str, int], key: str
) -> Iterator[Html]:
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
    yield legend([(name, style) for name, style in styles.items()])
    x_max = min(0.95, max(0.5, settings.limit))
    figures = []
    for place, fmr in enumerate(settings.fmrs):
        own = _of(evaluation, comparison, fmr)
        lines = [
            Line(
                name=result.method,
                style=styles[result.method],
                x=100 * result.curve.discard,
                y=100 * result.curve.error_rate,
                low=100 * result.curve.low,
                high=100 * result.curve.high,
            )
            for result in own
        ]
        best = next((result for result in own if result.is_best), None)
        verdict = f"{best.method} has the lowest area. " if best else "There is no error to reduce. "
        figures.append(
            (
                f"EDC at FMR {fmr:g}",
                line_chart(
                    f"{key}-{place}",
                    f"EDC on {comparison.dataset} at FMR {fmr:g}",
                    f"{verdict}FNMR without discarding: {100 * own[0].fnmr[0.0]:.2f} %. "
                    "The numbers are in the table below.",
                    lines,
                    ("discarded comparisons, %", "FNMR, %"),
                    100 * x_max,
                    100 * settings.limit,
                ),
            )
        )
    figures.append(
        (
            "Similarity of mated and non-mated pairs",
            histogram(
                f"{key}-h",
                f"Similarity on {comparison.dataset}",
                "Histogram of cosine similarity: non-mated pairs around 0, mated pairs higher.",
                comparison.edges,
                [("mated", 0, comparison.mated), ("non-mated", 1, comparison.non_mated)],
                "cosine similarity: mated solid, non-mated dashed",
            ),
        )
    )
    yield chart_grid(figures)
    for fmr in settings.fmrs:
        yield _detail(evaluation, _of(evaluation, comparison, fmr), fmr)


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
                    _mark(result),
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


def _scores(own: Sequence[Distribution], styles: Mapping[str, int], key: str) -> Iterator[Html]:
    figures = []
    for one in own:
        refused = f", {one.n_refused} without a score" if one.n_refused else ""
        figures.append(
            (
                f"{one.method} ({one.n_images:,} images{refused})",
                histogram(
                    f"{key}-{styles[one.method]}",
                    f"Scores of {one.method} on {one.dataset}",
                    f"Histogram of raw scores from {one.edges[0]:.4g} to {one.edges[-1]:.4g}.",
                    one.edges,
                    [(one.method, styles[one.method], one.counts)],
                    "raw score",
                ),
            )
        )
    yield chart_grid(figures)
    known = [one for one in own if not math.isnan(one.label_spearman)]
    if known:
        yield table(
            "Rank correlation with the quality that the data set itself gives",
            ["method", "Spearman"],
            [("", [one.method, number(one.label_spearman)]) for one in known],
        )
    if own and own[0].groups:
        yield Html("<h3>By group</h3>")
        yield chart_grid(
            (
                one.method,
                box_plot(
                    f"{key}-{styles[one.method]}-g",
                    f"Scores of {one.method} by group",
                    "Boxes from 25 to 75 %, whiskers at 5 and 95 %: "
                    + ", ".join(
                        f"{label or 'none'} median {g.quantiles[2]:.3g}" for label, g in one.groups.items()
                    ),
                    [Box(label or "none", group.quantiles) for label, group in one.groups.items()],
                    ("group", "raw score"),
                    styles[one.method],
                ),
            )
            for one in own
        )


def _extremes(own: Sequence[Distribution], faces: Faces) -> Iterator[Html]:
    shown = [one for one in own if any((one.dataset, row) in faces for row, _, _ in (*one.worst, *one.best))]
    if not shown:
        return
    yield Html("<h3>Worst and best faces</h3>")
    for one in shown:
        rows = (("worst first", one.worst), ("best first", one.best))
        yield render(
            "<details><summary>{}</summary>{}</details>",
            *(one.method, join(_row(title, one.dataset, some, faces) for title, some in rows)),
        )


def _row(title: str, dataset: str, some: Sequence[tuple[int, str, float]], faces: Faces) -> Html:
    items = (
        render(
            '<figure><img src="{src}" alt="{name}" width="{side}" height="{side}">'
            "<figcaption>{score}<br>{name}</figcaption></figure>",
            **{"src": faces[dataset, row], "name": name, "side": THUMBNAIL, "score": _score(score)},
        )
        for row, name, score in some
    )
    return render('<p class="muted">{}</p><div class="faces">{}</div>', title, join(items))


def _score(value: float) -> str:
    return "no score" if math.isinf(value) else f"{value:.4g}".replace("-", "−")


def _facts(evaluation: Evaluation) -> Html:
    settings = evaluation.settings
    rows = [
        ("protocol", f"{settings.protocol}, pairs {settings.pairs}, pAUC to {settings.limit:g} discard"),
        ("bootstrap", f"{settings.n_resamples} draws of subjects, seed {settings.seed}"),
        (
            "all against all",
            f"at most {settings.per_subject} mated pairs a subject and {settings.n_non_mated:,} non-mated "
            "pairs, drawn with the same seed (where no pairs are listed)",
        ),
    ]
    for name, sizes in evaluation.datasets.items():
        rows.append(
            (f"data set {name}", ", ".join(f"{n:,} {what.replace('_', '-')}" for what, n in sizes.items()))
        )
    rows += [(f"method {name}", detail) for name, detail in evaluation.methods.items()]
    rows.append(("judges", ", ".join(evaluation.recognizers)))
    rows.append(("versions", ", ".join(f"{name} {version}" for name, version in evaluation.versions.items())))
    return render("<dl>{}</dl>", join(render("<dt>{}</dt><dd>{}</dd>", *row) for row in rows))


def _faces(
    evaluation: Evaluation, datasets: Sequence[Dataset], align: Align | None
) -> dict[tuple[str, int], str]:
    out = {}
    for dataset in datasets:
        rows = sorted(
            {
                row
                for one in evaluation.distributions
                if one.dataset == dataset.name
                for row, _, _ in (*one.worst, *one.best)
            }
        )
        for row, crop in zip(rows, crops_at(dataset, rows, align) if rows else (), strict=True):
            out[dataset.name, row] = _data_uri(crop)
    return out


def _data_uri(crop: ImageArray) -> str:
    file = io.BytesIO()
    size = (THUMBNAIL, THUMBNAIL)
    Image.fromarray(crop).resize(size, Image.Resampling.LANCZOS).save(file, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
