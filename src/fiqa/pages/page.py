"""What the pages share: one HTML file with its style inside, nothing fetched, no script.

The style is ``style.css`` beside this file, as it is: custom properties for light and dark, then text,
controls, tables, charts and faces. The browser app takes the same file, so there is one place for a colour.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from importlib import resources
from typing import NamedTuple

from .markup import Html, join, render
from .svg import sample

__all__ = ["Cell", "chart_grid", "legend", "notes", "number", "page", "table"]


class Cell(NamedTuple):
    """A cell of a table.

    Attributes:
        content: text, or HTML as :class:`Html`.
        kind: its class in ``style.css``: ``"best"``, ``"good"``, ``"text"``, or none.
    """

    content: str
    kind: str = ""


def page(title: str, body: Iterable[Html]) -> Html:
    """A whole HTML document. The empty icon keeps browsers from asking for one."""
    return render(
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<link rel="icon" href="data:,"><title>{title}</title><style>{style}</style></head>'
        "<body><main><h1>{title}</h1>{body}</main></body></html>\n",
        title=title,
        style=Html((resources.files(__package__) / "style.css").read_text(encoding="utf-8")),
        body=join(body),
    )


def table(
    caption: str,
    head: Sequence[str | Cell],
    rows: Iterable[tuple[str, Sequence[str | Cell]]],
) -> Html:
    """A table as wide as the page; on a narrow screen it scrolls by itself, and says so.

    Args:
        caption: what it shows, in one sentence.
        head: the names of the columns.
        rows: of each its class in ``style.css`` or "", and its cells; the first cell names the row.
    """
    lines = []
    for kind, (first, *others) in rows:
        name = render('<th scope="row">{}</th>', first.content if isinstance(first, Cell) else first)
        cells = join(render("<td{}>{}</td>", _kind(cell.kind), cell.content) for cell in map(_cell, others))
        lines.append(render("<tr{}>{}{}</tr>", _kind(kind), name, cells))
    heads = join(
        render('<th{} scope="col">{}</th>', _kind(cell.kind), cell.content) for cell in map(_cell, head)
    )
    return render(
        '<div class="scroll" role="region" aria-label="{caption}" tabindex="0"><table>'
        '<caption><span>{caption} <span class="more" aria-hidden="true">scroll →</span></span></caption>'
        "<thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table></div>",
        caption=caption,
        heads=heads,
        lines=join(lines),
    )


def _cell(cell: str | Cell) -> Cell:
    return cell if isinstance(cell, Cell) else Cell(cell)


def _kind(name: str) -> Html:
    return render(' class="{}"', name) if name else Html()


def chart_grid(figures: Iterable[tuple[str, Html]], *, large: bool = False) -> Html:
    """Charts side by side where there is room, each (caption, svg); two in a row where they are ``large``."""
    shown = (render("<figure><figcaption>{}</figcaption>{}</figure>", *figure) for figure in figures)
    return render('<div class="{}">{}</div>', "charts large" if large else "charts", join(shown))


def legend(names: Sequence[tuple[str, int]], *, dots: bool = False) -> Html:
    """(name, style) → a list with a piece of each line, or with each dot."""
    return render(
        '<ul class="legend">{}</ul>',
        join(render("<li>{}{}</li>", sample(style, dot=dots), name) for name, style in names),
    )


def notes(lines: Sequence[str]) -> Html:
    """What a reader must know, in a box; nothing if there is nothing."""
    if not lines:
        return Html()
    return render(
        '<div class="notes" role="note">{}</div>', join(render("<p>{}</p>", line) for line in lines)
    )


def number(value: float, digits: int = 3) -> str:
    """A number with a true minus sign, or a dash where there is none."""
    if not math.isfinite(value):
        return "–"
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")
