"""A small SVG writer, the pieces of every chart: where data fall, axes, strokes, texts.

Colours are CSS variables of the page (``--c0`` …), so a chart follows a light or dark theme. Lines differ in
dash as well as in colour. Every chart has a title and a description for screen readers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .markup import Html, join, render

N_COLOURS = 8
LONGEST = 22  # letters of a name in a chart
LETTER = 6.6  # width of a letter of 12 px, rather too much than too little
_DASHES = ("", "7 3", "2 3", "9 3 2 3", "14 4", "4 2", "1 2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Where data fall in the picture.

    Attributes:
        x_range, y_range: the least and the greatest value on each axis.
        width, height: of the picture; it is scaled to its place on the page.
        left, right, top, bottom: margins around the data.
    """

    x_range: tuple[float, float]
    y_range: tuple[float, float]
    width: int = 440
    height: int = 300
    left: float = 52
    right: float = 12
    top: float = 12
    bottom: float = 44

    @property
    def x_end(self) -> float:
        """The right edge of the data."""
        return self.width - self.right

    @property
    def y_end(self) -> float:
        """The lower edge of the data."""
        return self.height - self.bottom

    def x(self, value: float) -> float:
        """Where a value is from left to right."""
        low, high = self.x_range
        return self.left + (value - low) / (high - low) * (self.x_end - self.left)

    def y(self, value: float) -> float:
        """Where a value is from top to bottom."""
        low, high = self.y_range
        return self.y_end - (value - low) / (high - low) * (self.y_end - self.top)

    def points(self, x: NDArray[np.float64], y: NDArray[np.float64], inside: float = math.inf) -> str:
        """Points of a polyline; those beyond ``inside`` are left out, since nobody sees them."""
        return " ".join(
            f"{self.x(float(a)):.1f},{self.y(float(b)):.1f}" for a, b in zip(x, y, strict=True) if a <= inside
        )

    def axes(self, labels: tuple[str, str], *, x_ticks: bool = True, y_ticks: bool = True) -> Iterator[Html]:
        """The axes, with ``labels`` of x and y; an empty label is left out."""
        left, right, bottom = self.left, self.x_end, self.y_end
        if y_ticks:
            for value, label in ticks(*self.y_range):
                y = self.y(value)
                yield segment("grid", left, y, right, y)
                yield text("tick", left - 5, y + 4, "end", label)
        if x_ticks:
            for value, label in ticks(*self.x_range):
                x = self.x(value)
                yield segment("axis", x, bottom, x, bottom + 4)
                yield text("tick", x, bottom + 16, "middle", label)
        yield render('<path class="axis" d="M{} {}V{}H{}"/>', left, self.top, bottom, right)
        yield text("label", (left + right) / 2, self.height - 8, "middle", labels[0])
        if labels[1]:
            yield render(
                '<text class="label" transform="translate(12 {:.0f}) rotate(-90)" text-anchor="middle">{}'
                "</text>",
                *((self.top + bottom) / 2, labels[1]),
            )

    def drawn(self, key: str, title: str, description: str, parts: Sequence[Html]) -> Html:
        """The whole picture; ``key`` makes the ids of this chart unique on its page."""
        return render(
            '<svg class="chart" viewBox="0 0 {width} {height}" role="img" aria-labelledby="{key}-t {key}-d">'
            '<title id="{key}-t">{title}</title><desc id="{key}-d">{description}</desc>{parts}</svg>',
            **{"width": self.width, "height": self.height, "key": key},
            **{"title": title, "description": description, "parts": join(parts)},
        )


def segment(kind: str, x1: float, y1: float, x2: float, y2: float) -> Html:
    """A line of a class of ``style.css``."""
    return render('<line class="{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>', kind, x1, y1, x2, y2)


def text(kind: str, x: float, y: float, anchor: str, content: str) -> Html:
    """A text of a class of ``style.css``; ``anchor``: its start, middle or end is at ``x``."""
    return render(
        '<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>', kind, x, y, anchor, content
    )


def ticks(low: float, high: float, wanted: int = 5) -> list[tuple[float, str]]:
    """Round values from ``low`` to ``high``, each with its text."""
    rough = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    if digits > 4 or high >= 1e5:
        return [(n * step, f"{n * step:.3g}") for n in range(first, last + 1)]
    return [(n * step, f"{n * step:.{digits}f}") for n in range(first, last + 1)]


def shortened(names: Sequence[str], longest: int = LONGEST) -> list[str]:
    """Names of at most ``longest`` letters: the middle is left out, since specs differ at both ends."""
    head = longest - longest // 2 - 1
    return [
        name if len(name) <= longest else f"{name[:head]}…{name[len(name) - longest // 2 :]}"
        for name in names
    ]


def colour(style: int) -> str:
    """The CSS colour of a style, which counts from 0."""
    return f"var(--c{style % N_COLOURS})"


def stroke(style: int) -> str:
    """The CSS of a line in a style: colour and dash."""
    dash = _DASHES[style % len(_DASHES)]
    return f"stroke:{colour(style)}" + (f";stroke-dasharray:{dash}" if dash else "")


def marker(style: int, x: float, y: float, said: str) -> Html:
    """A dot, of which ``said`` is known to who points at it; styles differ in shape as well as in colour."""
    r = 5.0
    shapes = (
        f"M{x - r:.1f} {y:.1f}a{r} {r} 0 1 0 {2 * r} 0a{r} {r} 0 1 0 {-2 * r} 0z",  # circle, diamond, square
        f"M{x:.1f} {y - r - 1:.1f}l{r + 1} {r + 1}l{-r - 1} {r + 1}l{-r - 1} {-r - 1}z",
        f"M{x - r:.1f} {y - r:.1f}h{2 * r}v{2 * r}h{-2 * r}z",
        f"M{x:.1f} {y - r:.1f}l{r} {2 * r}h{-2 * r}z",
    )
    return render(
        '<path class="dot" style="fill:{}" d="{}"><title>{}</title></path>',
        *(colour(style), shapes[style % len(shapes)], said),
    )


def sample(style: int, *, dot: bool = False) -> Html:
    """A short piece of a line, or a dot, for legends; decoration, hence hidden from screen readers."""
    line = render('<line class="line" style="{}" x1="1" y1="6" x2="35" y2="6"/>', stroke(style))
    return render(
        '<svg class="sample" viewBox="0 0 {width} 12" width="{width}" height="12" aria-hidden="true">{}'
        "</svg>",
        marker(style, 7, 6, "") if dot else line,
        width=14 if dot else 36,
    )
