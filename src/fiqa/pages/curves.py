"""Curves in → a chart out in which each has its name at its end, and its band where it is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .markup import Html, join, render
from .svg import LETTER, Frame, colour, segment, shortened, stroke

__all__ = ["Line", "line_chart"]

_BETWEEN = 14  # names, in units of the picture


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Line:
    """A curve.

    Attributes:
        name: stands at its right end.
        style: its colour and dash, from 0.
        x, y: (m,).
        low, high: (m,), its band, if it has one.
        banded: whether the band is always shown; it is shown to who points at the curve at any rate.
    """

    name: str
    style: int
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    low: NDArray[np.float64] | None = None
    high: NDArray[np.float64] | None = None
    banded: bool = True


def line_chart(
    key: str,
    title: str,
    description: str,
    lines: Sequence[Line],
    labels: tuple[str, str],
    x_max: float,
    mark: float | None = None,
) -> Html:
    """Curves over [0, ``x_max``] from 0 up, each with its name at its right end, as far as there is room.

    Args:
        key: makes the ids of this chart unique on its page.
        title, description: for screen readers.
        lines: the curves.
        labels: of x and y.
        x_max: where the x axis ends.
        mark: place of a vertical line, if any.
    """
    names = shortened([line.name for line in lines])
    room = 16 + LETTER * max(map(len, names), default=0)
    frame = Frame(x_range=(0.0, x_max), y_range=(0.0, _highest(lines, x_max)), right=room)
    parts = list(frame.axes(labels))
    if mark is not None and mark < x_max:
        x = frame.x(mark)
        parts.append(segment("mark", x, frame.top, x, frame.y_end))
    parts.append(
        render(
            '<clipPath id="{}-c"><rect x="{}" y="{}" width="{:.1f}" height="{}"/></clipPath>',
            *(key, frame.left, frame.top, frame.x_end - frame.left, frame.y_end - frame.top),
        )
    )
    ends = [frame.y(float(np.interp(x_max, line.x, line.y))) for line in lines]
    places = _apart(ends, frame.top + 4, frame.y_end)
    parts += [
        _curve(key, frame, line, name, (end, place))
        for line, name, end, place in zip(lines, names, ends, places, strict=True)
    ]
    return frame.drawn(key, title, description, parts)


def _highest(lines: Sequence[Line], x_max: float) -> float:
    """Where the y axis ends: above the curves, and above the bands that are shown, as far as sensible."""
    top = max((float(line.y[line.x <= x_max].max(initial=0.0)) for line in lines), default=0.0)
    bands = [
        float(np.nanmax(line.high[line.x <= x_max], initial=0.0))
        for line in lines
        if line.high is not None and line.banded
    ]
    return min(max([top, *bands]), 1.4 * top) or 1e-3


def _curve(key: str, frame: Frame, line: Line, name: str, ends: tuple[float, float | None]) -> Html:
    """A curve with its band, and its name at ``ends``: of the curve, and where there is room for a name."""
    parts, inside = [], 2 * frame.x_range[1]
    if line.low is not None and line.high is not None and not np.isnan(line.low).any():
        outline = np.r_[line.x, line.x[::-1]], np.r_[line.high, line.low[::-1]]
        points = frame.points(*outline, inside=inside)
        parts.append(
            render('<polygon class="band" style="fill:{}" points="{}"/>', colour(line.style), points)
        )
    parts.append(
        render(
            '<polyline class="line" style="{}" points="{}"/>',
            *(stroke(line.style), frame.points(line.x, line.y, inside=inside)),
        )
    )
    end, place = ends
    said = Html()
    if place is not None:
        path = f"M{frame.x_end:.1f} {end:.1f}L{frame.x_end + 9:.1f} {place:.1f}"
        said = render(
            '<path class="lead" style="stroke:{colour}" d="{}"/>'
            '<text class="name" style="fill:{colour}" x="{:.1f}" y="{:.1f}">{}</text>',
            *(path, frame.x_end + 12, place + 4, name),
            colour=colour(line.style),
        )
    return render(
        '<g class="curve{}"><title>{}</title><g clip-path="url(#{}-c)">{}</g>{}</g>',
        *(" banded" if line.banded else "", line.name, key, join(parts), said),
    )


def _apart(wanted: Sequence[float], low: float, high: float) -> list[float | None]:
    """Places of names, near to those wanted and without touching; None where there is no room."""
    order = sorted(range(len(wanted)), key=lambda at: wanted[at])
    n_fitting = int((high - low) / _BETWEEN) + 1
    out: list[float | None] = [None] * len(wanted)
    places: list[float] = []
    for rank, at in enumerate(order[:n_fitting]):
        places.append(max(wanted[at], low + _BETWEEN * rank, places[-1] + _BETWEEN if places else low))
    for rank in range(len(places) - 1, -1, -1):  # those pushed below the end come back up
        places[rank] = min(places[rank], high - _BETWEEN * (len(places) - 1 - rank))
    for at, place in zip(order, places, strict=False):
        out[at] = place
    return out
