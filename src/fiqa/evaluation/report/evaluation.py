"""The page of ``fiqa evaluate``, and the files beside it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from ...pages.markup import Html, join, render
from ...pages.page import Cell, notes, page, table
from ..datasets import Dataset
from ..measurement import Align
from ..results import Evaluation, Settings
from .distributions import Faces, faces_of, scores_of
from .judgements import area, judged
from .tables import csv_text, json_text, latex_text

__all__ = ["html_text", "write_report"]


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
    faces = faces_of(evaluation, datasets, align)
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
    yield _headline(evaluation)
    yield _how_to_read(settings)
    for number_, comparison in enumerate(evaluation.comparisons):
        yield from judged(evaluation, comparison, styles, f"j{number_}")
    for place, dataset in enumerate(evaluation.datasets):
        own = [one for one in evaluation.distributions if one.dataset == dataset]
        yield render("<h2>Scores on {}</h2>", dataset)
        yield from scores_of(own, styles, faces, f"s{place}")
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


def _headline(evaluation: Evaluation) -> Html:
    """All areas, the best method first."""
    columns = list(dict.fromkeys((r.dataset, r.recognizer, r.fmr) for r in evaluation.results))
    cells = {(r.method, (r.dataset, r.recognizer, r.fmr)): r for r in evaluation.results}
    n_errors = {
        (c.dataset, c.recognizer, fmr): c.n_errors(fmr) for c in evaluation.comparisons for fmr in c.operating
    }
    one_judge = len(evaluation.recognizers) == 1
    heads = [
        render(
            "{}<br><small>{}FMR {:g}, {:,} errors</small>",
            *(dataset, "" if one_judge else f"{recognizer}, ", fmr, n_errors[dataset, recognizer, fmr]),
        )
        for dataset, recognizer, fmr in columns
    ]

    def mean(method: str) -> float:
        known = [cells[method, column].normalised for column in columns]
        known = [value for value in known if not math.isnan(value)]
        return sum(known) / len(known) if known else math.inf

    rows: list[tuple[str, list[str | Cell]]] = [
        ("", [method, *(area(cells[method, column], drawn=True) for column in columns)])
        for method in sorted(evaluation.methods, key=mean)
    ]
    order = "the best first" if len(columns) == 1 else "the best on average first"
    return table(
        f"Normalised pAUC to {evaluation.settings.limit:.0%} discard (lower is better, 1 = random), {order}. "
        "Bold: best of a column; underlined: as good.",
        ["method", *heads],
        rows,
    )


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
