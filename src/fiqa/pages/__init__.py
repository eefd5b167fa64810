"""Qualities in → pictures and self-contained pages out, in one style."""

from .heatmap import notice, overlay, portrait, sheet
from .palette import COLOURS, colour_range, colours

__all__ = ["COLOURS", "colour_range", "colours", "notice", "overlay", "portrait", "sheet"]
