"""Anything that holds a picture in → upright RGB uint8 out."""

from .reader import BACKGROUND, FORMATS, MAX_PIXELS, load

__all__ = ["BACKGROUND", "FORMATS", "MAX_PIXELS", "load"]
