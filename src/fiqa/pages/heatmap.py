"""Patch maps as pictures: a crop under its map, the number on it, and sheets that compare several."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image, ImageDraw, ImageFont

from ..errors import UsageError
from ..types import FloatArray, ImageArray

# From dark blue over violet and orange to pale yellow; lightness rises evenly, so that it reads in grey and
# with any colour vision. Control points in sRGB; colours between them are interpolated.
_CONTROL = np.array(
    [
        (8, 7, 40),
        (45, 17, 99),
        (89, 22, 122),
        (132, 34, 122),
        (176, 50, 106),
        (215, 73, 80),
        (242, 109, 49),
        (251, 154, 38),
        (247, 203, 73),
        (252, 251, 200),
    ],
    dtype=np.float64,
)
COLOURS: ImageArray = (
    np.stack(
        [np.interp(np.linspace(0, 1, 256), np.linspace(0, 1, len(_CONTROL)), c) for c in _CONTROL.T], axis=1
    )
    .round()
    .astype(np.uint8)
)

_TEXT, _PAPER = (25, 25, 25), (255, 255, 255)


def colours(values: ArrayLike, vmin: float, vmax: float) -> ImageArray:
    """Colours (..., 3) uint8 RGB of ``values`` (...); ``vmin`` is darkest, ``vmax`` palest."""
    level = np.clip((np.asarray(values, dtype=np.float64) - vmin) / (vmax - vmin or 1.0), 0, 1)
    return COLOURS[np.rint(level * 255).astype(np.intp)]


def colour_range(maps: Sequence[FloatArray]) -> tuple[float, float]:
    """One colour scale for several patch maps: their least and greatest value.

    Raises:
        UsageError: there is no map.
    """
    if not maps:
        raise UsageError("a colour scale needs at least one patch map, but got none")
    return min(float(m.min()) for m in maps), max(float(m.max()) for m in maps)


def overlay(
    crop: ImageArray,
    patch_map: FloatArray,
    *,
    vmin: float | None = None,
    vmax: float | None = None,
    label: str | None = None,
    size: int = 448,
    opacity: float = 0.55,
) -> Image.Image:
    """A face under its patch map, with a colour bar to the right and, if given, a label below.

    Args:
        crop: (112, 112, 3) uint8 RGB, the face as the network saw it; any size will do.
        patch_map: (h, w) float32, higher = better; each value is drawn as the flat square of its patch.
        vmin: the value at the dark end of the colour scale; None: the least of the map.
        vmax: the value at the pale end; None: the greatest of the map. To compare several pictures, take both
            from :func:`colour_range`.
        label: text below the face, usually the method and its number.
        size: side of the face in the picture, in pixels.
        opacity: of the map over the face, from 0 (only the face) to 1 (only the map).

    Returns:
        RGB; ``size`` pixels of face plus the bar and the label.

    Raises:
        UsageError: the map is not a finite (h, w), ``vmax`` is below ``vmin``, or a number is out of range.
    """
    values = np.asarray(patch_map, dtype=np.float64)
    if values.ndim != 2 or not values.size or not np.isfinite(values).all():
        raise UsageError(f"patch_map must be (h, w) of finite numbers, but got shape {values.shape}")
    vmin = float(values.min()) if vmin is None else vmin
    vmax = float(values.max()) if vmax is None else vmax
    if not (math.isfinite(vmin) and math.isfinite(vmax) and vmin <= vmax):
        raise UsageError(f"the colour scale must rise from vmin to vmax, but got {vmin} to {vmax}")
    if size < 32 or not 0 <= opacity <= 1:
        raise UsageError(f"size must be at least 32 and opacity from 0 to 1, but got {size} and {opacity}")
    face = Image.fromarray(crop).resize((size, size), Image.Resampling.BICUBIC)
    heat = Image.fromarray(colours(values, vmin, vmax)).resize((size, size), Image.Resampling.NEAREST)
    font = ImageFont.load_default(max(10, size // 24))
    line = _height(font) + 6
    bar_text = [_number(vmax, vmax - vmin), _number(vmin, vmax - vmin)]
    bar_width = max(8, size // 32)
    width = size + 6 + bar_width + 4 + math.ceil(max(font.getlength(text) for text in bar_text)) + 6
    picture = Image.new("RGB", (width, size + (line if label else 0)), _PAPER)
    picture.paste(Image.blend(face, heat, opacity), (0, 0))
    draw = ImageDraw.Draw(picture)
    left = size + 6
    ramp = np.repeat(COLOURS[::-1, None], 1, axis=1)
    picture.paste(Image.fromarray(ramp).resize((bar_width, size)), (left, 0))
    draw.text((left + bar_width + 4, 0), bar_text[0], fill=_TEXT, font=font)
    draw.text((left + bar_width + 4, size - line), bar_text[1], fill=_TEXT, font=font)
    if label:
        draw.text((4, size + 2), _fitted(label, font, width - 8), fill=_TEXT, font=font)
    return picture


def sheet(
    rows: Sequence[Sequence[Image.Image]],
    *,
    columns: Sequence[str] = (),
    labels: Sequence[str] = (),
    gap: int = 8,
) -> Image.Image:
    """Pictures side by side: one row an image, one column a method, with their names.

    Args:
        rows: the pictures of each row; a row may be shorter than others.
        columns: a title above each column.
        labels: a title left of each row.
        gap: pixels between the pictures.

    Raises:
        UsageError: there is no picture, or there are more or fewer titles than rows or columns.
    """
    n_columns = max((len(row) for row in rows), default=0)
    if not n_columns:
        raise UsageError("a sheet needs at least one picture, but got none")
    for name, titles, expected in (("columns", columns, n_columns), ("labels", labels, len(rows))):
        if titles and len(titles) != expected:
            raise UsageError(f"{name} must hold {expected} titles, but got {len(titles)}")
    widths = [max((row[i].width for row in rows if i < len(row)), default=0) for i in range(n_columns)]
    heights = [max((picture.height for picture in row), default=0) for row in rows]
    font = ImageFont.load_default(max(12, max(heights) // 24))
    left = gap + (math.ceil(max(font.getlength(label) for label in labels)) + gap if labels else 0)
    top = gap + (_height(font) + gap if columns else 0)
    total = (left + sum(widths) + gap * n_columns, top + sum(heights) + gap * len(rows))
    out = Image.new("RGB", total, _PAPER)
    draw = ImageDraw.Draw(out)
    for i, title in enumerate(columns):
        x = left + sum(widths[:i]) + gap * i
        draw.text((x, gap), _fitted(title, font, widths[i]), fill=_TEXT, font=font)
    y = top
    for r, row in enumerate(rows):
        if labels:
            draw.text((gap, y), labels[r], fill=_TEXT, font=font)
        x = left
        for picture, width in zip(row, widths, strict=False):
            out.paste(picture, (x, y))
            x += width + gap
        y += heights[r] + gap
    return out


def portrait(crop: ImageArray, maps: Mapping[str, FloatArray], *, size: int = 336) -> Image.Image:
    """A face, and beside it under each of its patch maps, with their names; each has its own colour scale.

    Args:
        crop: (112, 112, 3) uint8 RGB.
        maps: name → (h, w) float32.
        size: side of the face in each picture, in pixels.
    """
    plain = Image.fromarray(crop).resize((size, size), Image.Resampling.BICUBIC)
    under = []
    for one in maps.values():
        low, high = colour_range([one])
        under.append(overlay(crop, one, vmin=low, vmax=high, size=size))
    return sheet([[plain, *under]], columns=["", *maps])


def notice(text: str, *, width: int = 448) -> Image.Image:
    """A text as a picture, where there is no face to draw."""
    font = ImageFont.load_default(16)
    words, lines = "".join(c if c.isprintable() else "?" for c in text).split(), [""]
    for word in words:
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width - 16:
            lines[-1] = longer
        else:
            lines.append(word)
    line = _height(font) + 4
    picture = Image.new("RGB", (width, line * len(lines) + 16), _PAPER)
    draw = ImageDraw.Draw(picture)
    for number, said in enumerate(lines):
        draw.text((8, 8 + number * line), _fitted(said, font, width - 16), fill=_TEXT, font=font)
    return picture


def captioned(picture: Image.Image, text: str) -> Image.Image:
    """A picture with one line of text below it."""
    font = ImageFont.load_default(max(10, picture.width // 12))
    out = Image.new("RGB", (picture.width, picture.height + _height(font) + 6), _PAPER)
    out.paste(picture, (0, 0))
    line = _fitted(text, font, picture.width - 4)
    ImageDraw.Draw(out).text((2, picture.height + 2), line, fill=_TEXT, font=font)
    return out


Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def _height(font: Font) -> int:
    _, top, _, bottom = font.getbbox("Ag0|")
    return math.ceil(bottom - min(0, top))


def _number(value: float, span: float) -> str:
    """As many digits as tell the ends of the scale apart."""
    digits = 2 if span <= 0 else min(6, max(0, 2 - math.floor(math.log10(span))))
    return f"{value:.{digits}f}"


def _fitted(text: str, font: Font, width: float) -> str:
    """The text in one line of at most ``width`` pixels, cut at its end if need be."""
    text = "".join(c if c.isprintable() else "?" for c in text)
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "...") > width:
        text = text[:-1]
    return text + "..."
