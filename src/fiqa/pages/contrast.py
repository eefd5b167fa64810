"""Which values the ends of a map's scale stand for: qualities in → (least, greatest) of each map out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from ..types import Quality
from .palette import colour_range

Contrast = Literal["face", "page"]
"""``face``: each map of each face has a scale of its own, which shows most within a face; ``page``: one scale
per method over all faces, so that faces can be compared."""

Scale = tuple[float, float]


def contrast_of(qualities: Sequence[Quality], given: Contrast | None = None) -> Contrast:
    """What was asked for; else ``face`` where there is one face to draw, ``page`` where there are several."""
    return given or ("page" if sum(map(has_maps, qualities)) > 1 else "face")


def scales(qualities: Sequence[Quality], contrast: Contrast) -> list[Mapping[str, Scale]]:
    """Of each quality: method spec → the ends of its map's scale; nothing for one without maps."""
    if contrast == "face":
        return [{spec: colour_range([one]) for spec, one in quality.maps.items()} for quality in qualities]
    specs = dict.fromkeys(spec for quality in qualities for spec in quality.maps)
    shared = {
        spec: colour_range([quality.maps[spec] for quality in qualities if spec in quality.maps])
        for spec in specs
    }
    return [{spec: shared[spec] for spec in quality.maps} for quality in qualities]


def has_maps(quality: Quality) -> bool:
    """Whether there is something to draw of it."""
    return quality.ok and quality.crop is not None and bool(quality.maps)
