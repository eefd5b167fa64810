"""Qualities in → pictures and self-contained pages out, in one style."""

from .heatmap import COLOURS, colour_range, colours, overlay, sheet

__all__ = ["COLOURS", "colour_range", "colours", "overlay", "sheet"]
