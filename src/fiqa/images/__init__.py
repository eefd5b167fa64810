"""Anything that holds a picture in → upright RGB uint8 out."""

from .formats import FORMATS
from .limits import MAX_PIXELS, Limits
from .picture import Picture
from .pixels import BACKGROUND
from .reader import load, read

__all__ = ["BACKGROUND", "FORMATS", "MAX_PIXELS", "Limits", "Picture", "load", "read"]
