"""Nothing in → the page that scores photos in a browser, as a folder of static files, out."""

from .site import MISSING, built, write

__all__ = ["MISSING", "built", "write"]
