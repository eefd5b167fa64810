"""What the pages share: one HTML file with its style inside, nothing fetched, no script."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from importlib import resources

from .svg import sample, text

__all__ = ["chart_grid", "legend", "notes", "number", "page", "table"]


def page(title: str, body: Iterable[str]) -> str:
    """A whole HTML document. The empty icon keeps browsers from asking for one."""
    style = (resources.files(__package__) / "style.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<link rel="icon" href="data:,"><title>{text(title)}</title><style>{style}</style></head>'
        f"<body><main><h1>{text(title)}</h1>{''.join(body)}</main></body></html>\n"
    )


def table(
    caption: str,
    head: Sequence[str],
    rows: Iterable[tuple[str, Sequence[str]]],
) -> str:
    """A table that scrolls by itself on a narrow screen. Cells are HTML: ``<td…>`` whole or their content.

    Each row is (class of the row, cells); the first cell names the row.
    """
    lines = []
    for kind, (first, *others) in ((kind, tuple(cells)) for kind, cells in rows):
        cells = "".join(cell if cell.startswith("<td") else f"<td>{cell}</td>" for cell in others)
        row = f' class="{kind}"' if kind else ""
        lines.append(f'<tr{row}><th scope="row">{first}</th>{cells}</tr>')
    heads = "".join(name if name.startswith("<th") else f'<th scope="col">{name}</th>' for name in head)
    return (
        f'<div class="scroll" role="region" aria-label="{text(caption)}" tabindex="0"><table>'
        f"<caption>{text(caption)}</caption><thead><tr>{heads}</tr></thead><tbody>{''.join(lines)}</tbody>"
        "</table></div>"
    )


def chart_grid(figures: Iterable[tuple[str, str]]) -> str:
    """Charts side by side where there is room, each (caption, svg)."""
    return (
        '<div class="charts">'
        + "".join(
            f"<figure><figcaption>{text(caption)}</figcaption>{svg}</figure>" for caption, svg in figures
        )
        + "</div>"
    )


def legend(names: Sequence[tuple[str, int]]) -> str:
    """(name, style) → a list with a piece of each line."""
    items = "".join(f"<li>{sample(style)}{text(name)}</li>" for name, style in names)
    return f'<ul class="legend">{items}</ul>'


def notes(lines: Sequence[str]) -> str:
    """What a reader must know, in a box; nothing if there is nothing."""
    if not lines:
        return ""
    return '<div class="notes" role="note">' + "".join(f"<p>{text(line)}</p>" for line in lines) + "</div>"


def number(value: float, digits: int = 3) -> str:
    """A number with a true minus sign, or a dash where there is none."""
    if not math.isfinite(value):
        return "–"
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")
