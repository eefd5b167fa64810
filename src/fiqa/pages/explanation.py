"""The page of ``fiqa explain``: overlays of the patch maps, one colour scale per method over all faces."""

from __future__ import annotations

import html
import os
from collections.abc import Sequence
from pathlib import Path

from ..scorer import Scorer
from ..types import Quality
from .heatmap import overlay

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:64rem;padding:0 1rem;color:#222}
table{border-collapse:collapse;width:100%}th{text-align:left}td,th{padding:.4rem;vertical-align:top}
img{width:100%;max-width:16rem;height:auto}.scroll{overflow-x:auto}
"""


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
        spec: (
            min(float(quality.maps[spec].min()) for quality in scored),
            max(float(quality.maps[spec].max()) for quality in scored),
        )
        for spec in specs
    }
    rows = []
    for number, quality in enumerate(qualities):
        cells = [f"<td>{_caption(quality)}</td>"]
        for spec in specs if quality.ok else ():
            assert quality.crop is not None
            low, high = ranges[spec]
            name = f"{number:04d}-{_slug(quality.path)}-{_slug(spec)}.png"
            label = f"{spec} {quality.raw[spec]:.4f}"
            overlay(quality.crop, quality.maps[spec], vmin=low, vmax=high, label=label).save(target / name)
            cells.append(f'<td><img src="{html.escape(name)}" alt="{html.escape(label)}"></td>')
        rows.append("<tr>" + "".join(cells) + "</tr>")
    page = target / "index.html"
    page.write_text(_page(specs, ranges, rows, scorer), encoding="utf-8")
    return page


def _page(
    specs: Sequence[str], ranges: dict[str, tuple[float, float]], rows: Sequence[str], scorer: Scorer
) -> str:
    heads = "".join(
        f"<th>{html.escape(spec)}<br><small>{html.escape(scorer.map_notes[spec])}; "
        f"colours from {ranges[spec][0]:.3g} to {ranges[spec][1]:.3g}</small></th>"
        for spec in specs
    )
    title = f"Which part of the face counts: {html.escape(scorer.card.name)}"
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style><h1>{title}</h1>"
        "<p>Brighter counts more. One colour scale per method over all faces of this page.</p>"
        f'<div class="scroll"><table><tr><th>face</th>{heads}</tr>{"".join(rows)}</table></div></html>\n'
    )


def _caption(quality: Quality) -> str:
    name = html.escape(_readable(quality.path or "image"))
    if not quality.ok:
        return f"{name}<br><strong>{quality.status}</strong><br>{html.escape(_readable(quality.reason))}"
    score = "" if quality.score is None else f"<br><strong>{quality.score:.0f}</strong> of 100"
    raw = "".join(f"<br>{html.escape(spec)} {value:.4f}" for spec, value in quality.raw.items())
    return f"{name}, face {quality.face_index}{score}{raw}"


def _readable(text: str) -> str:
    return os.fsencode(text).decode("utf-8", "replace")


def _slug(text: str | None) -> str:
    stem = Path(text).stem if text else "image"
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in stem)[:60]
