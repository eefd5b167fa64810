"""Anything that holds a picture in → upright RGB uint8 out."""

from .encoded import EncodedImage
from .formats import FORMATS
from .limits import MAX_PIXELS, Limits
from .picture import Picture
from .pixels import BACKGROUND
from .reader import load, read
from .remote import fetched

__all__ = [
    "BACKGROUND",
    "FORMATS",
    "MAX_PIXELS",
    "EncodedImage",
    "Limits",
    "Picture",
    "fetched",
    "load",
    "read",
]
