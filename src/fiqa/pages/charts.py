"""Numbers in → charts of the pages out: histograms, box plots, dots in rows; curves are in ``curves.py``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .markup import Html, render
from .svg import LETTER, Frame, colour, marker, segment, shortened, stroke, text

__all__ = [
    "Box",
    "Dots",
    "Mark",
    "box_plot",
    "count_chart",
    "dot_chart",
    "histogram",
]

_ROW = 24  # of a dot chart


@dataclass(frozen=True)
class Box:
    """One box: ``label`` below it, ``quantiles`` (5,) at 5, 25, 50, 75 and 95 %."""

    label: str
    quantiles: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A vertical line at ``place``; ``label`` stands in line ``row`` above it; ``style`` counts from 0."""

    label: str
    place: float
    style: int
    row: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Dots:
    """One series of a dot chart.

    Attributes:
        name: of the series.
        style: its colour and shape, from 0.
        values: one a row; NaN is left out.
    """

    name: str
    style: int
    values: Sequence[float]


def histogram(
    key: str,
    title: str,
    description: str,
    edges: ArrayLike,
    counts: Sequence[tuple[str, int, ArrayLike]],
    x_label: str,
) -> Html:
    """Filled steps, one a series (name, style, counts), each drawn to its own highest bin."""
    bounds = np.asarray(edges, np.float64)
    frame = Frame(x_range=(float(bounds[0]), float(bounds[-1])), y_range=(0.0, 1.05))
    parts = list(frame.axes((x_label, "share of the highest bin"), y_ticks=False))
    for name, style, values in counts:
        heights = np.asarray(values, np.float64)
        heights = heights / max(heights.max(initial=0.0), 1.0)
        points = frame.points(*_steps(bounds, heights))
        parts.append(
            render(
                '<polygon class="area" style="fill:{};{}" points="{}"><title>{}</title></polygon>',
                *(colour(style), stroke(style), points, name),
            )
        )
    return frame.drawn(key, title, description, parts)


def _steps(
    edges: NDArray[np.float64], heights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The outline of bins."""
    return np.repeat(edges, 2), np.r_[0.0, np.repeat(heights, 2), 0.0]


def count_chart(
    key: str,
    title: str,
    description: str,
    edges: ArrayLike,
    counts: ArrayLike,
    labels: tuple[str, str],
    marks: Sequence[Mark] = (),
    split: float | None = None,
) -> Html:
    """How many there are in each bin; what lies below ``split`` has another colour.

    A label that would touch one before it in ``marks`` is left out; the line is drawn.
    """
    bounds, heights = np.asarray(edges, np.float64), np.asarray(counts, np.float64)
    low, high = float(bounds[0]), float(bounds[-1])
    # above the bins: room for labels
    frame = Frame(x_range=(low, high), y_range=(0.0, 1.3 * max(heights.max(initial=0.0), 1.0)))
    parts = list(frame.axes(labels))
    middle = low if split is None else min(max(split, low), high)
    for side, style, begin, end in (("l", 1, low, middle), ("r", 0, middle, high)):
        parts.append(
            render(
                '<clipPath id="{key}-{side}"><rect x="{x:.1f}" y="0" width="{width:.1f}" height="{height}"/>'
                '</clipPath><polygon class="area" clip-path="url(#{key}-{side})" style="{style}" '
                'points="{points}"/>',
                **{"key": key, "side": side, "x": frame.x(begin), "width": frame.x(end) - frame.x(begin)},
                **{"height": frame.height, "points": frame.points(*_steps(bounds, heights))},
                style=f"fill:{colour(style)};stroke:{colour(style)}",
            )
        )
    parts += _marked(frame, marks)
    return frame.drawn(key, title, description, parts)


def _marked(frame: Frame, marks: Sequence[Mark]) -> Iterator[Html]:
    taken: list[tuple[int, float]] = []
    low, high = frame.x_range
    for mark in marks:
        place, line = frame.x(min(max(mark.place, low), high)), frame.top + 10 + 14 * mark.row
        yield render(
            '<line class="gate" style="{}" x1="{x:.1f}" x2="{x:.1f}" y1="{}" y2="{}">'
            "<title>{}</title></line>",
            *(stroke(mark.style), line + 3, frame.y_end, mark.label),
            x=place,
        )
        width = 7.5 * len(mark.label)
        centre = min(max(place, frame.left + width / 2), frame.x_end - width / 2)
        if all(row != mark.row or abs(centre - other) > width + 4 for row, other in taken):
            taken.append((mark.row, centre))
            yield text("tick", centre, line, "middle", mark.label)


def box_plot(
    key: str, title: str, description: str, boxes: Sequence[Box], labels: tuple[str, str], style: int = 0
) -> Html:
    """Box = 25 to 75 %, line = median, whiskers = 5 and 95 %."""
    known = np.array([box.quantiles for box in boxes if not np.isnan(box.quantiles).any()])
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    pad = 0.05 * (high - low) or 0.5
    frame = Frame(x_range=(0.0, float(len(boxes))), y_range=(low - pad, high + pad))
    parts = list(frame.axes(labels, x_ticks=False))
    half = 0.3 * (frame.x(1) - frame.x(0))
    for place, box in enumerate(boxes):
        x = frame.x(place + 0.5)
        parts.append(text("tick", x, frame.y_end + 16, "middle", box.label))
        if np.isnan(box.quantiles).any():
            continue
        least, lower, middle, upper, most = (frame.y(float(value)) for value in box.quantiles)
        parts.append(
            render(
                '<g style="stroke:{colour};fill:{colour}">'
                '<path class="whisker" d="M{x:.1f} {most:.1f}V{upper:.1f}M{x:.1f} {lower:.1f}V{least:.1f}"/>'
                '<rect class="box" x="{left:.1f}" y="{upper:.1f}" width="{width:.1f}" height="{height:.1f}"/>'
                '<path class="median" d="M{left:.1f} {middle:.1f}H{right:.1f}"/></g>',
                **{"colour": colour(style), "x": x, "left": x - half, "right": x + half, "width": 2 * half},
                **{"least": least, "lower": lower, "middle": middle, "upper": upper, "most": most},
                height=max(lower - upper, 0.5),
            )
        )
    return frame.drawn(key, title, description, parts)


def dot_chart(
    key: str,
    title: str,
    description: str,
    rows: Sequence[str],
    series: Sequence[Dots],
    x_label: str,
    x_range: tuple[float, float],
) -> Html:
    """One row a name, in it one dot a series, the first highest; one beyond ``x_range`` stands at its end."""
    names = shortened(rows)
    left = 19 + LETTER * max(map(len, names), default=0)
    frame = Frame(x_range=x_range, y_range=(0.0, float(len(rows))), height=56 + _ROW * len(rows), left=left)
    parts = list(frame.axes((x_label, ""), y_ticks=False))
    low, high = x_range
    if low < 0 < high:
        parts.append(segment("mark", frame.x(0), frame.top, frame.x(0), frame.y_end))
    for place, name in enumerate(names):
        y = frame.y(len(rows) - place - 0.5)
        parts += [segment("grid", left, y, frame.x_end, y), text("tick", left - 11, y + 4, "end", name)]
        for rank, one in enumerate(series):
            value = float(one.values[place])
            if not np.isnan(value):
                x = frame.x(min(max(value, low), high))
                aside = (rank - (len(series) - 1) / 2) * min(4.0, (_ROW - 8) / len(series))
                parts.append(marker(one.style, x, y + aside, f"{one.name}, {name}: {value:.2f}"))
    return frame.drawn(key, title, description, parts)
