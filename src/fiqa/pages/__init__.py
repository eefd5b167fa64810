"""Qualities in → pictures and self-contained pages out, in one style."""

from .heatmap import COLOURS, colour_range, colours, notice, overlay, portrait, sheet

__all__ = ["COLOURS", "colour_range", "colours", "notice", "overlay", "portrait", "sheet"]
