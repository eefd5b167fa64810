"""The page of ``fiqa sheet``: what the faces of a table are like, with the worst and the best to look at."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..calibration import Gate
from ..pipeline.tables import ResultTable
from .charts import Box, Mark, box_plot, count_chart
from .markup import Html, join, render
from .overview import Extreme, Folder, Overview, largest, overview
from .page import chart_grid, legend, notes, number, page, table
from .thumbnails import SIDE, thumbnail

_MOST_FOLDERS = 100  # in the list
_MOST_BOXES = 12  # in the chart
_ASKED, _FNMR, _DISCARD = 3, 1, 2  # styles of the gates' lines


def write_sheet(
    scores: ResultTable | str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    gate: str | Gate | None = None,
    most: int = 24,
    root: str | os.PathLike[str] = "",
) -> Path:
    """Write one self-contained page about a table: histogram, gates, worst and best faces, counts.

    The faces are in the page: whoever has it sees them.

    Args:
        scores: the table.
        path: the page; one that is there is replaced.
        gate: who is good enough, such as ``"60"`` or ``"fnmr=1%"``, if that is asked.
        most: how many of the worst and of the best faces are shown.
        root: where the table's relative paths begin.

    Returns:
        Path of the page.

    Raises:
        FiqaError: no table, or a gate that it does not have.
        OSError: the page can't be written.
    """
    opened = scores if isinstance(scores, ResultTable) else ResultTable(scores)
    rule = opened.gate(gate) if isinstance(gate, str) else gate
    found = overview(opened, gate=rule, most=most)
    html = page(f"Faces of {opened.path.name}", _body(opened, found, Path(root)))
    target = Path(path)
    temporary = Path(f"{target}.part")
    temporary.write_text(html, encoding="utf-8")
    temporary.replace(target)
    return target


def _body(opened: ResultTable, found: Overview, root: Path) -> Iterator[Html]:
    pictures = {id(one): thumbnail(one.values, root) for one in (*found.worst, *found.best)}
    yield render("<p>{}</p>", _counted(opened, found))
    yield notes(_remarks(opened, found, sum(picture is None for picture in pictures.values())))
    if found.n_scored:
        yield Html("<h2>Scores</h2>")
        yield from _scores(opened, found)
        for title, some in (("Worst faces", found.worst), ("Best faces", found.best)):
            faces = (_face(one, pictures[id(one)], opened, found.gate) for one in some)
            yield render('<h2>{}</h2><div class="faces large">{}</div>', title, join(faces))
    yield Html("<h2>Counts</h2>")
    counts = [_shares("By status", "status", found.statuses, found.n_faces)]
    if found.codes is not None:
        counts.append(
            _shares("By reason; a face may have none, or several", "reason", found.codes, found.n_faces)
        )
    yield render('<div class="charts">{}</div>', join([*counts, _folders(found)]))
    yield Html("<h2>How this was made</h2>")
    yield _facts(opened)


def _counted(opened: ResultTable, found: Overview) -> str:
    said = f"{found.n_scored:,} of {found.n_faces:,} rows have a score"
    if found.n_scored:
        said += f", the median {opened.quality_column} is {number(found.median, _digits(opened))}"
    if found.gate is not None:
        n_passing = found.passing[0][1]
        said += f". {n_passing:,} pass the gate and {found.n_faces - n_passing:,} don't: {found.gate}"
    return f"{said}."


def _remarks(opened: ResultTable, found: Overview, n_lost: int) -> list[str]:
    lines = []
    if found.n_broken:
        lines.append(f"{found.n_broken:,} rows are no whole rows and are left out.")
    if n_lost:
        lines.append(
            f"{n_lost:,} of the faces shown are not where the table says, or can't be read any more."
        )
    if opened.facts and opened.calibration is None:
        lines.append(f"Nothing calibrates this model: faces are ordered by {opened.quality_column}.")
    return lines


def _scores(opened: ResultTable, found: Overview) -> Iterator[Html]:
    column, unit = opened.quality_column, "score" if opened.quality_column == "score" else "raw score"
    gates = found.passing if column == "score" else ()
    gate = found.gate.score if found.gate is not None else None
    chart = count_chart(
        "h",
        f"Histogram of {column}",
        f"{found.n_scored} faces; the median is {found.median:.4g}. The gates stand in the table below.",
        found.edges,
        found.counts,
        (unit, "faces"),
        _marks(found.gate, [one for one, _ in gates]),
        gate,
    )
    figures = [(f"{found.n_scored:,} faces by {unit}", chart)]
    shown = [one for one in largest(found.folders, _MOST_BOXES) if one.n_scored]
    if len(shown) > 1:
        what = "all folders" if len(shown) == len(found.folders) else f"the {len(shown)} largest folders"
        figures.append((f"{what}, the lowest median first", _boxes(shown, unit)))
    yield chart_grid(figures)
    kinds = {one.threshold.kind for one, _ in gates if one.threshold is not None and one != found.gate}
    known = [("gate asked about", _ASKED)] if found.gate is not None else []
    known += [("FNMR at most", _FNMR)] if "fnmr" in kinds else []
    known += [("refuses of the reference images", _DISCARD)] if "discard" in kinds else []
    if known:
        yield legend(known)
    if gates:
        yield _gates(gates, found.n_faces)


def _boxes(shown: Sequence[Folder], unit: str) -> Html:
    boxes = [Box(_short(one.name, 60 // len(shown)), one.quantiles) for one in shown]
    return box_plot(
        "f",
        "Scores by folder",
        "Boxes from 25 to 75 %, whiskers at 5 and 95 %: the folders stand in the table below.",
        boxes,
        ("folder", unit),
    )


def _marks(asked: Gate | None, gates: Sequence[Gate]) -> list[Mark]:
    """The lines of the gates; round figures have their labels first."""
    marks = [] if asked is None else [Mark(label=asked.rule, place=asked.score, style=_ASKED)]
    for gate in sorted(
        gates, key=lambda one: abs(math.log((one.threshold.target if one.threshold else 1) / 0.05))
    ):
        if gate.threshold is not None and gate != asked:
            is_fnmr = gate.threshold.kind == "fnmr"
            style, row = (_FNMR, 1) if is_fnmr else (_DISCARD, 2)
            label = f"{100 * gate.threshold.target:.4g}%"
            marks.append(Mark(label=label, place=gate.score, style=style, row=row))
    return marks


def _gates(gates: Sequence[tuple[Gate, int]], n_faces: int) -> Html:
    rows = []
    for place, (gate, n_passing) in enumerate(gates):
        interval = "" if gate.low is None or gate.high is None else f"{gate.low:.2f} – {gate.high:.2f}"
        refused = "" if gate.threshold is None else f"{gate.threshold.discarded:.1%}"
        share = f"{n_passing / max(n_faces, 1):.1%}"
        is_asked = place == 0 and gate.threshold is None
        rows.append(
            (
                "best" if is_asked else "",
                [gate.rule, f"{gate.score:.2f}", interval, refused, f"{n_passing:,}", share],
            )
        )
    return table(
        "Gates: the score from which a face passes, its 95 % interval over subjects, the share of the "
        "profile's reference images that it refuses, and how many rows of this table pass",
        ["gate", "score", "interval", "refuses", "pass here", "share"],
        rows,
    )


def _face(one: Extreme, picture: str | None, opened: ResultTable, gate: Gate | None) -> Html:
    name = str(one.values["path"])
    reason = ", ".join(code.replace("_", " ") for code in one.codes[:2])
    verdict = "" if gate is None or opened.passes(gate, one.values) else "rejected"
    shown = (
        render('<img src="{}" alt="{}" width="{side}" height="{side}">', picture, name, side=SIDE)
        if picture is not None
        else Html('<div class="lost">not there</div>')
    )
    said = join(render("<br>{}", text) for text in (verdict, reason) if text)
    return render(
        '<figure title="{name}">{shown}<figcaption><strong>{score}</strong>{said}<br>{short}</figcaption>'
        "</figure>",
        name=name,
        shown=shown,
        score=number(one.quality, _digits(opened)),
        said=said,
        short=os.path.basename(name),
    )


def _shares(caption: str, name: str, counts: Counter[str], n_faces: int) -> Html:
    rows = [
        ("", [one.replace("_", " "), f"{n:,}", f"{n / max(n_faces, 1):.1%}"])
        for one, n in counts.most_common()
    ]
    return table(caption, [name, "rows", "share"], rows)


def _folders(found: Overview) -> Html:
    shown = largest(found.folders, _MOST_FOLDERS)
    asked = found.gate is not None
    rows = [
        (
            "",
            [
                one.name,
                f"{one.n_faces:,}",
                f"{one.n_scored:,}",
                *([f"{one.n_passing:,}"] if one.n_passing is not None else []),
                *(number(float(one.quantiles[place]), 1) for place in (0, 2, 4)),
            ],
        )
        for one in shown
    ]
    more = len(found.folders) - len(shown)
    return table(
        "By folder, the lowest median first" + (f"; {more:,} smaller ones are left out" if more else ""),
        ["folder", "rows", "scored", *(["pass"] if asked else []), "5 %", "median", "95 %"],
        rows,
    )


def _facts(opened: ResultTable) -> Html:
    decides = opened.facts.get("decides", {})
    rows = [("table", opened.path.name)]
    rows += [(name, str(decides[name])) for name in ("model", "engine", "scored_by") if decides.get(name)]
    if opened.methods:
        rows.append(("methods", ", ".join(opened.methods)))
    if opened.calibration is not None:
        rows.append(("a score means", opened.calibration.meaning))
    packages = opened.facts.get("context", {}).get("packages", {})
    if packages:
        rows.append(("versions", ", ".join(f"{name} {version}" for name, version in packages.items())))
    items = (render("<dt>{}</dt><dd>{}</dd>", name.replace("_", " "), value) for name, value in rows)
    return render("<dl>{}</dl>", join(items))


def _digits(opened: ResultTable) -> int:
    return 1 if opened.quality_column == "score" else 4


def _short(name: str, most: int) -> str:
    tail = name.rsplit("/", 1)[-1]
    return tail if len(tail) <= max(most, 3) else f"{tail[: max(most, 3) - 1]}…"
