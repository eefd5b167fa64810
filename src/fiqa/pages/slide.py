"""Explained faces in → one picture out, for a slide or a letter."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image

from ..types import Quality
from .contrast import Contrast, Scale, contrast_of, has_maps, scales
from .heatmap import captioned, notice, overlay, sheet

MOST = 8  # faces in a picture: more could not be read on a slide
_LARGE, _SMALL = 448, 320  # side of a face where there is one, and where there are several
_MOST_REASONS = 2


def write_slide(
    qualities: Sequence[Quality],
    path: str | os.PathLike[str],
    *,
    contrast: Contrast | None = None,
) -> Path:
    """Write one PNG: a row a face, its crop with score and advice, then each of its maps with its scale.

    Args:
        qualities: with maps and crops; the first :data:`MOST` are drawn, those without a score as a text.
        path: of the picture.
        contrast: as of :func:`fiqa.pages.explanation.write_page`.

    Returns:
        Path of the picture.

    Raises:
        UsageError: there is nothing to draw.
        OSError: the picture can't be written.
    """
    of_all = scales(qualities, contrast_of(qualities, contrast))
    drawn = list(zip(qualities, of_all, strict=True))[:MOST]
    size = _LARGE if len(drawn) == 1 else _SMALL
    picture = sheet([_row(quality, of_maps, size) for quality, of_maps in drawn], gap=16)
    target = Path(path)
    picture.save(target, "png")
    return target


def _row(quality: Quality, of_maps: Mapping[str, Scale], size: int) -> list[Image.Image]:
    name = Path(quality.path).name if quality.path else "image"
    if quality.crop is None or not has_maps(quality):
        said = quality.reason if not quality.ok else ", ".join(f"{k} {v:.4f}" for k, v in quality.raw.items())
        return [notice(f"{name}: {quality.status.replace('_', ' ')}: {said}", width=size)]
    lines = [name + (f", face {quality.face_index + 1}" if quality.face_index else "")]
    lines += [reason.advice for reason in quality.reasons[:_MOST_REASONS]]
    plain = Image.fromarray(quality.crop).resize((size, size), Image.Resampling.BICUBIC)
    maps = [
        overlay(
            *(quality.crop, quality.maps[spec]),
            vmin=low,
            vmax=high,
            label=f"{spec}  {quality.raw[spec]:.4f}",
            size=size,
        )
        for spec, (low, high) in of_maps.items()
    ]
    if quality.score is not None:
        plain = captioned(plain, f"{quality.score:.0f} of 100", scale=12)
    return [captioned(plain, *lines, scale=22), *maps]
