"""Patch maps as pictures: a crop under its map, the number on it, and sheets that compare several."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..errors import UsageError
from ..types import FloatArray, ImageArray
from .palette import COLOURS, OPACITY, colour_range, levels, tinted

INK, PAPER = (28, 29, 31), (255, 255, 255)  # --fg and --bg of style.css


def overlay(
    crop: ImageArray,
    patch_map: FloatArray,
    *,
    vmin: float | None = None,
    vmax: float | None = None,
    label: str | None = None,
    size: int = 448,
    opacity: float = OPACITY,
) -> Image.Image:
    """A face tinted by its patch map, with its scale and, if given, a label below.

    The face is in grey, light and dark as in the photo; blue patches count less, orange ones more.

    Args:
        crop: (112, 112, 3) uint8 RGB, the face as the network saw it; any size will do.
        patch_map: (h, w) float32, higher = better; each value is drawn as the flat square of its patch.
        vmin: the value at the blue end of the colour scale; None: the least of the map.
        vmax: the value at the orange end; None: the greatest of the map. To compare several pictures, take
            both from :func:`colour_range`.
        label: text below the face, usually the method and its number.
        size: side of the face in the picture, in pixels.
        opacity: of the map over the face, from 0 (only the face, in grey) to 1 (only the map).

    Returns:
        RGB; ``size`` pixels of face, and below it the scale and the label.

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
    face = tinted(crop, levels(values, vmin, vmax), size=size, opacity=opacity)
    below = [_scale(vmin, vmax, size)]
    if label:
        below.append(_line(label, ImageFont.load_default(max(10, size // 20)), size))
    picture = Image.new("RGB", (size, size + sum(one.height for one in below)), PAPER)
    top = 0
    for part in (face, *below):
        picture.paste(part, (0, top))
        top += part.height
    return picture


def _scale(vmin: float, vmax: float, width: int) -> Image.Image:
    """The bar of a scale, which way it counts, and its ends."""
    font = ImageFont.load_default(max(9, width // 25))
    gap, bar, line = max(3, width // 64), max(5, width // 36), _height(font)
    picture = Image.new("RGB", (width, 2 * gap + bar + line + 2), PAPER)
    picture.paste(Image.fromarray(COLOURS[None]).resize((width, bar)), (0, gap))
    draw = ImageDraw.Draw(picture)
    ends = [scale_end(value, vmax - vmin) for value in (vmin, vmax)]
    said = [f"{ends[0]} counts less", f"counts more {ends[1]}"]
    if sum(map(font.getlength, said)) > width - 8:
        said = ends
    top = gap + bar + gap
    draw.text((0, top), said[0], fill=INK, font=font)
    draw.text((width - font.getlength(said[1]), top), said[1], fill=INK, font=font)
    return picture


def _line(text: str, font: Font, width: int) -> Image.Image:
    """One line of text."""
    picture = Image.new("RGB", (width, _height(font) + 6), PAPER)
    ImageDraw.Draw(picture).text((0, 2), _fitted(text, font, width), fill=INK, font=font)
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
    out = Image.new("RGB", total, PAPER)
    draw = ImageDraw.Draw(out)
    for i, title in enumerate(columns):
        x = left + sum(widths[:i]) + gap * i
        draw.text((x, gap), _fitted(title, font, widths[i]), fill=INK, font=font)
    y = top
    for r, row in enumerate(rows):
        if labels:
            draw.text((gap, y), labels[r], fill=INK, font=font)
        x = left
        for picture, width in zip(row, widths, strict=False):
            out.paste(picture, (x, y))
            x += width + gap
        y += heights[r] + gap
    return out


def portrait(crop: ImageArray, maps: Mapping[str, FloatArray], *, size: int = 336) -> Image.Image:
    """A face, and beside it tinted by each of its patch maps, with their names; each map has its own scale.

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
    picture = Image.new("RGB", (width, line * len(lines) + 16), PAPER)
    draw = ImageDraw.Draw(picture)
    for number, said in enumerate(lines):
        draw.text((8, 8 + number * line), _fitted(said, font, width - 16), fill=INK, font=font)
    return picture


def captioned(picture: Image.Image, *lines: str, scale: int = 12) -> Image.Image:
    """A picture with lines of text below it, each as high as a ``scale``-th of its width."""
    font = ImageFont.load_default(max(10, picture.width // scale))
    line = _height(font) + 6
    out = Image.new("RGB", (picture.width, picture.height + line * len(lines)), PAPER)
    out.paste(picture, (0, 0))
    for number_, text in enumerate(lines):
        place = (2, picture.height + line * number_ + 2)
        ImageDraw.Draw(out).text(place, _fitted(text, font, picture.width - 4), fill=INK, font=font)
    return out


Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def _height(font: Font) -> int:
    _, top, _, bottom = font.getbbox("Ag0|")
    return math.ceil(bottom - min(0, top))


def scale_end(value: float, span: float) -> str:
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
