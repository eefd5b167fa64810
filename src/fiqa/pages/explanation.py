"""The page of ``fiqa explain``: overlays of the patch maps, one colour scale per method over all faces."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..scorer import Scorer
from ..types import Quality, Reason
from .heatmap import colour_range, overlay
from .markup import Html, join, render
from .page import Cell, page, table


def write_page(qualities: Sequence[Quality], scorer: Scorer, folder: str | os.PathLike[str]) -> Path:
    """Write one PNG per face and method that has a map, and ``index.html`` that shows them.

    Returns:
        Path of the page.

    Raises:
        OSError: the folder can't be written.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    scored = [quality for quality in qualities if quality.ok]
    specs = [spec for spec in scorer.specs if any(spec in quality.maps for quality in scored)]
    ranges = {
        spec: colour_range([quality.maps[spec] for quality in scored if spec in quality.maps])
        for spec in specs
    }
    rows = []
    for number, quality in enumerate(qualities):
        cells: list[str | Cell] = [_caption(quality)]
        for spec in specs if quality.ok else ():
            assert quality.crop is not None
            low, high = ranges[spec]
            name = f"{number:04d}-{_slug(quality.path)}-{_slug(spec)}.png"
            label = f"{spec} {quality.raw[spec]:.4f}"
            overlay(quality.crop, quality.maps[spec], vmin=low, vmax=high, label=label).save(target / name)
            cells.append(Cell(render('<img src="{}" alt="{}">', name, label), "text"))
        rows.append(("", cells + [""] * (1 + len(specs) - len(cells))))
    path = target / "index.html"
    title = f"Which part of the face counts: {scorer.card.name}"
    path.write_text(page(title, [_table(ranges, rows, scorer)]), encoding="utf-8")
    return path


def _table(
    ranges: Mapping[str, tuple[float, float]],
    rows: Sequence[tuple[str, Sequence[str | Cell]]],
    scorer: Scorer,
) -> Html:
    heads = (
        render(
            "{}<br><small>{}; colours from {:.3g} to {:.3g}</small>", spec, scorer.map_notes[spec], low, high
        )
        for spec, (low, high) in ranges.items()
    )
    return table(
        "Brighter counts more. One colour scale per method over all faces of this page.",
        ["face", *(Cell(head, "text") for head in heads)],
        rows,
    )


def _caption(quality: Quality) -> Html:
    name = quality.path or "image"
    if not quality.ok:
        said = [quality.reason, *(reason.advice for reason in quality.reasons)]
        lines = join(render("<br>{}", line) for line in said)
        return render("{}<br><strong>{}</strong>{}", name, quality.status, lines)
    score = Html() if quality.score is None else render("<br><strong>{:.0f}</strong> of 100", quality.score)
    raw = join(render("<br>{} {:.4f}", spec, value) for spec, value in quality.raw.items())
    return render("{}, face {}{}{}{}", name, quality.face_index, score, _advice(quality), raw)


def _advice(quality: Quality) -> Html:
    """The reasons, the most likely cause first, each with what was measured."""
    return join(
        render(
            "<br><strong>{}</strong>: {} <small>{}</small>",
            reason.code.replace("_", " "),
            reason.advice,
            _value(reason),
        )
        for reason in quality.reasons
    )


def _value(reason: Reason) -> str:
    """What was measured beside its limit."""
    if reason.value is None or reason.limit is None:
        return ""
    return f"{reason.value:.3g} {reason.unit}, limit {reason.limit:.3g}"


def _slug(text: str | None) -> str:
    stem = Path(text).stem if text else "image"
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in stem)[:60]
