"""A small SVG writer for the charts of the pages: lines with bands, histograms, box plots.

Colours are CSS variables of the page (``--c0`` …), so a chart follows a light or dark theme. Lines differ in
dash as well as in colour. Every chart has a title and a description for screen readers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .markup import Html, join, render

__all__ = ["Box", "Line", "Mark", "box_plot", "count_chart", "histogram", "line_chart", "sample"]

N_COLOURS = 8
_DASHES = ("", "7 3", "2 3", "9 3 2 3", "14 4", "4 2", "1 2")
_WIDTH, _HEIGHT = 440, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 12, 44


@dataclass(frozen=True, kw_only=True)
class Line:
    """A curve ``x``, ``y`` (m,) with an optional band ``low``, ``high`` (m,); ``style`` counts from 0."""

    name: str
    style: int
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    low: NDArray[np.float64] | None = None
    high: NDArray[np.float64] | None = None


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


def line_chart(
    key: str,
    title: str,
    description: str,
    lines: Sequence[Line],
    labels: tuple[str, str],
    x_max: float,
    mark: float | None = None,
) -> Html:
    """Curves over [0, ``x_max``] from 0 up; ``labels`` of x and y; ``mark``: a vertical line there.

    ``key`` makes the ids of this chart unique on its page.
    """
    top = max((float(line.y[line.x <= x_max].max(initial=0.0)) for line in lines), default=0.0)
    bands = [
        float(np.nanmax(line.high[line.x <= x_max], initial=0.0)) for line in lines if line.high is not None
    ]
    frame = _Frame((0.0, x_max), (0.0, min(max([top, *bands]), 1.4 * top) or 1e-3))
    parts = list(frame.axes(labels))
    if mark is not None and mark < x_max:
        x = frame.x(mark)
        parts.append(_segment("mark", x, _TOP, x, _HEIGHT - _BOTTOM))
    parts.append(
        render(
            '<clipPath id="{}-c"><rect x="{}" y="{}" width="{}" height="{}"/></clipPath>',
            *(key, _LEFT, _TOP, _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM),
        )
    )
    curves = []
    for line in lines:
        if line.low is not None and line.high is not None and not np.isnan(line.low).any():
            outline = np.r_[line.x, line.x[::-1]], np.r_[line.high, line.low[::-1]]
            points = frame.points(*outline, inside=2 * x_max)
            curves.append(
                render('<polygon class="band" style="fill:{}" points="{}"/>', _colour(line.style), points)
            )
    for line in lines:
        curves.append(
            render(
                '<polyline class="line" style="{}" points="{}"><title>{}</title></polyline>',
                *(_stroke(line.style), frame.points(line.x, line.y, inside=2 * x_max), line.name),
            )
        )
    parts.append(render('<g clip-path="url(#{}-c)">{}</g>', key, join(curves)))
    return _svg(key, title, description, parts)


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
    frame = _Frame((float(bounds[0]), float(bounds[-1])), (0.0, 1.05))
    parts = list(frame.axes((x_label, "share of the highest bin"), y_ticks=False))
    for name, style, values in counts:
        heights = np.asarray(values, np.float64)
        heights = heights / max(heights.max(initial=0.0), 1.0)
        x, y = np.repeat(bounds, 2), np.r_[0.0, np.repeat(heights, 2), 0.0]
        points = frame.points(x, y)
        parts.append(
            render(
                '<polygon class="area" style="fill:{};{}" points="{}"><title>{}</title></polygon>',
                *(_colour(style), _stroke(style), points, name),
            )
        )
    return _svg(key, title, description, parts)


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
    frame = _Frame((low, high), (0.0, 1.3 * max(heights.max(initial=0.0), 1.0)))  # above: room for labels
    parts = list(frame.axes(labels))
    x, y = np.repeat(bounds, 2), np.r_[0.0, np.repeat(heights, 2), 0.0]
    middle = low if split is None else min(max(split, low), high)
    for side, style, begin, end in (("l", 1, low, middle), ("r", 0, middle, high)):
        parts.append(
            render(
                '<clipPath id="{key}-{side}"><rect x="{x:.1f}" y="0" width="{width:.1f}" height="{height}"/>'
                '</clipPath><polygon class="area" clip-path="url(#{key}-{side})" style="{style}" '
                'points="{points}"/>',
                **{"key": key, "side": side, "x": frame.x(begin), "width": frame.x(end) - frame.x(begin)},
                **{"height": _HEIGHT, "points": frame.points(x, y)},
                style=f"fill:{_colour(style)};stroke:{_colour(style)}",
            )
        )
    taken: list[tuple[int, float]] = []
    for mark in marks:
        place, line = frame.x(min(max(mark.place, low), high)), _TOP + 10 + 14 * mark.row
        parts.append(
            render(
                '<line class="gate" style="{}" x1="{x:.1f}" x2="{x:.1f}" y1="{}" y2="{}">'
                "<title>{}</title></line>",
                *(_stroke(mark.style), line + 3, _HEIGHT - _BOTTOM, mark.label),
                x=place,
            )
        )
        width = 7.5 * len(mark.label)
        centre = min(max(place, _LEFT + width / 2), _WIDTH - _RIGHT - width / 2)
        if all(row != mark.row or abs(centre - other) > width + 4 for row, other in taken):
            taken.append((mark.row, centre))
            parts.append(_text("tick", centre, line, "middle", mark.label))
    return _svg(key, title, description, parts)


def box_plot(
    key: str, title: str, description: str, boxes: Sequence[Box], labels: tuple[str, str], style: int = 0
) -> Html:
    """Box = 25 to 75 %, line = median, whiskers = 5 and 95 %."""
    known = np.array([box.quantiles for box in boxes if not np.isnan(box.quantiles).any()])
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    pad = 0.05 * (high - low) or 0.5
    frame = _Frame((0.0, float(len(boxes))), (low - pad, high + pad))
    parts = list(frame.axes(labels, x_ticks=False))
    half = 0.3 * (frame.x(1) - frame.x(0))
    for place, box in enumerate(boxes):
        x = frame.x(place + 0.5)
        parts.append(_text("tick", x, _HEIGHT - _BOTTOM + 16, "middle", box.label))
        if np.isnan(box.quantiles).any():
            continue
        least, lower, middle, upper, most = (frame.y(float(value)) for value in box.quantiles)
        parts.append(
            render(
                '<g style="stroke:{colour};fill:{colour}">'
                '<path class="whisker" d="M{x:.1f} {most:.1f}V{upper:.1f}M{x:.1f} {lower:.1f}V{least:.1f}"/>'
                '<rect class="box" x="{left:.1f}" y="{upper:.1f}" width="{width:.1f}" height="{height:.1f}"/>'
                '<path class="median" d="M{left:.1f} {middle:.1f}H{right:.1f}"/></g>',
                **{"colour": _colour(style), "x": x, "left": x - half, "right": x + half, "width": 2 * half},
                **{"least": least, "lower": lower, "middle": middle, "upper": upper, "most": most},
                height=max(lower - upper, 0.5),
            )
        )
    return _svg(key, title, description, parts)


def sample(style: int) -> Html:
    """A short piece of a line, for legends; decoration, hence hidden from screen readers."""
    return render(
        '<svg class="sample" viewBox="0 0 36 10" width="36" height="10" aria-hidden="true">'
        '<line class="line" style="{}" x1="1" y1="5" x2="35" y2="5"/></svg>',
        _stroke(style),
    )


class _Frame:
    """Where data fall in the picture."""

    def __init__(self, x: tuple[float, float], y: tuple[float, float]) -> None:
        self._x, self._y = x, y

    def x(self, value: float) -> float:
        low, high = self._x
        return _LEFT + (value - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        low, high = self._y
        return _HEIGHT - _BOTTOM - (value - low) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)

    def points(self, x: NDArray[np.float64], y: NDArray[np.float64], inside: float = math.inf) -> str:
        """Points of a polyline; those beyond ``inside`` are left out, since nobody sees them."""
        return " ".join(
            f"{self.x(float(a)):.1f},{self.y(float(b)):.1f}" for a, b in zip(x, y, strict=True) if a <= inside
        )

    def axes(self, labels: tuple[str, str], x_ticks: bool = True, y_ticks: bool = True) -> Iterator[Html]:
        left, right, top, bottom = _LEFT, _WIDTH - _RIGHT, _TOP, _HEIGHT - _BOTTOM
        if y_ticks:
            for value, label in _ticks(*self._y):
                y = self.y(value)
                yield _segment("grid", left, y, right, y)
                yield _text("tick", left - 5, y + 4, "end", label)
        if x_ticks:
            for value, label in _ticks(*self._x):
                x = self.x(value)
                yield _segment("axis", x, bottom, x, bottom + 4)
                yield _text("tick", x, bottom + 16, "middle", label)
        yield render('<path class="axis" d="M{} {}V{}H{}"/>', left, top, bottom, right)
        yield _text("label", (left + right) / 2, _HEIGHT - 8, "middle", labels[0])
        yield render(
            '<text class="label" transform="translate(12 {:.0f}) rotate(-90)" text-anchor="middle">{}</text>',
            *((top + bottom) / 2, labels[1]),
        )


def _segment(kind: str, x1: float, y1: float, x2: float, y2: float) -> Html:
    return render('<line class="{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>', kind, x1, y1, x2, y2)


def _text(kind: str, x: float, y: float, anchor: str, content: str) -> Html:
    return render(
        '<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>', kind, x, y, anchor, content
    )


def _ticks(low: float, high: float, wanted: int = 5) -> list[tuple[float, str]]:
    rough = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    if digits > 4 or high >= 1e5:
        return [(n * step, f"{n * step:.3g}") for n in range(first, last + 1)]
    return [(n * step, f"{n * step:.{digits}f}") for n in range(first, last + 1)]


def _colour(style: int) -> str:
    return f"var(--c{style % N_COLOURS})"


def _stroke(style: int) -> str:
    dash = _DASHES[style % len(_DASHES)]
    return f"stroke:{_colour(style)}" + (f";stroke-dasharray:{dash}" if dash else "")


def _svg(key: str, title: str, description: str, parts: Sequence[Html]) -> Html:
    return render(
        '<svg class="chart" viewBox="0 0 {width} {height}" role="img" aria-labelledby="{key}-t {key}-d">'
        '<title id="{key}-t">{title}</title><desc id="{key}-d">{description}</desc>{parts}</svg>',
        **{"width": _WIDTH, "height": _HEIGHT, "key": key},
        **{"title": title, "description": description, "parts": join(parts)},
    )
