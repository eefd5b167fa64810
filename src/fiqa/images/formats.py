"""The formats that are read: which one a file has, what opens it, what it may cost, whether it can hang."""

from __future__ import annotations

import importlib
import os
import struct
from functools import cache
from typing import Any, BinaryIO

from PIL import Image

from ..errors import ImageError, MissingExtra, require
from .limits import Limits
from .outline import Outline

# Photographs only: some of Pillow's other readers start programs (EPS) or look at nothing but the name.
FORMATS = (*("JPEG", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "PPM", "JPEG2000", "HEIF", "AVIF", "TGA"),)
_PLUGINS = ("Jpeg", "Png", "WebP", "Gif", "Bmp", "Tiff", "Ppm", "Jpeg2K", "Avif", "Tga")
_TGA_NAMES = (".tga", ".icb", ".vda", ".vst")
_TGA_FOOTER = b"TRUEVISION-XFILE.\0"
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")

# A file in a folder is an image if its name ends so. heic is among them without its extra too: better a row
# that says so than a photo that is left out in silence.
SUFFIXES = (
    *(".jpg", ".png", ".jpeg", ".bmp", ".webp", ".jpe", ".jfif", ".tif", ".tiff", ".gif", ".jp2"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".avif", ".heic", ".heif", ".tga"),
)

HEAD = 64  # bytes that tell the format
_SMALL_BYTES, _SMALL_PIXELS = 1_000_000, 16_000_000  # of a file that any of _QUICK_IF_SMALL gets done with
_QUICK_IF_SMALL = ("GIF", "BMP", "DIB", "PPM", "TGA", "WEBP")
_MOST_WORK = 2_000_000_000  # pixels times passes: a progressive photo of 100 megapixels has ten passes

# Bytes a pixel that a decoder holds beside the picture itself, generously
_WORKING = {"JPEG2000": 40, "AVIF": 24, "HEIF": 24, "WEBP": 16, "TIFF": 8, "GIF": 8}
_PIXEL_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}


def is_image_name(name: str) -> bool:
    """Whether the name of a file ends like an image.

    >>> is_image_name("a.b.JPG"), is_image_name(".jpg")
    (True, False)
    """
    return os.path.splitext(name)[1].lower() in SUFFIXES


@cache
def _openers() -> dict[str, tuple[Any, Any]]:
    """Format → (what opens it, what looks at its first bytes); without those that this Pillow lacks."""
    for plugin in _PLUGINS:
        try:
            importlib.import_module(f"PIL.{plugin}ImagePlugin")
        except ImportError:  # AVIF came with Pillow 11.3
            continue
    return {name: Image.OPEN[name] for name in FORMATS if name in Image.OPEN}


def identify(head: bytes, tail: bytes, path: str | None) -> str | None:
    """The format of a file by its first 64 and last 26 bytes; TGA, which has no mark, also by its name."""
    if head[4:8] == b"ftyp" and (
        head[8:12] in _HEIF_BRANDS[:6] or (head[8:12] in _HEIF_BRANDS and b"avif" not in head[16:])
    ):
        return "HEIF"
    for name, (_, accepts) in _openers().items():
        if accepts is not None and name != "HEIF" and accepts(head[:16]) is True:
            return name
    if tail.endswith(_TGA_FOOTER) or (path or "").lower().endswith(_TGA_NAMES):
        return "TGA"
    return None


def open_as(kind: str, file: BinaryIO, name: str) -> Image.Image:
    """The picture in ``file``, its pixels not yet decoded.

    Image.open would look for the format once more, refuse above its own limit, and warn at half of it.

    Raises:
        ImageError: status ``unreadable``: reading this format needs an extra that is not installed.
    """
    file.seek(0)
    if kind == "HEIF":
        try:
            heif = require("pillow_heif", "heif", "reading HEIC and HEIF")
        except MissingExtra as error:
            raise ImageError("unreadable", f"{name} can't be read: {error}") from error
        picture: Image.Image = heif.HeifImageFile(file)
    else:
        picture = _openers()[kind][0](file, "")
    return picture


def can_hang(kind: str, n_bytes: int, pixels: int | None, passes: int = 1) -> bool:
    """Whether decoding may take longer than its pixels tell; ``pixels`` is None where no header told them."""
    if kind in ("JPEG", "PNG"):
        return pixels is None or pixels * passes > _MOST_WORK
    return not (kind in _QUICK_IF_SMALL and n_bytes <= _SMALL_BYTES and (pixels or 0) <= _SMALL_PIXELS)


def bytes_needed(image: Image.Image, kind: str, *, passes: int = 1) -> int:
    """Bytes that decoding takes at its peak, the result included."""
    a_pixel = _PIXEL_BYTES.get(image.mode, 4) + 3 + _WORKING.get(kind, 0)
    if passes > 1:
        a_pixel += 6  # a progressive JPEG is held whole, in 16-bit coefficients
    return image.width * image.height * a_pixel + _tile_pixels(image) * 8


def bytes_to_compare(found: Outline) -> int:
    """Bytes that it takes to tell what is missing of a JPEG: it is decoded twice, as grey."""
    width, height = found.size
    return 2 * width * height * (7 if found.passes > 1 else 1) + 4 * found.n_bytes


def check_size(width: int, height: int, name: str, limits: Limits) -> None:
    """ImageError if a picture has more pixels than the limit, or none."""
    if width * height > limits.max_pixels:
        size = f"{width} x {height} = {width * height:,} pixels"
        raise ImageError(
            "too_large", f"{name} has {size}, and at most {limits.max_pixels:,} are read; reduce it"
        )
    if width * height == 0:
        raise ImageError("unreadable", f"{name} has no pixels")


def check_inside(image: Image.Image, kind: str, file: BinaryIO, name: str, limits: Limits) -> None:
    """ImageError if what is decoded is larger than the picture: tiles of TIFF, the stream of JPEG 2000."""
    pixels = _tile_pixels(image)
    if pixels > limits.max_pixels:
        raise ImageError(
            "too_large", f"{name} has tiles of {pixels:,} pixels, and at most {limits.max_pixels:,} are read"
        )
    if kind == "JPEG2000":
        width, height = _stream_size(file)
        check_size(width, height, name, limits)
        if (width, height) != image.size:
            sizes = f"its header says {image.width} x {image.height} pixels, its stream {width} x {height}"
            raise ImageError("unreadable", f"{name} is damaged: {sizes}")


def _tile_pixels(image: Image.Image) -> int:
    tags = getattr(image, "tag_v2", {})
    width, height = tags.get(322, 0), tags.get(323, 0)
    return width * height if isinstance(width, int) and isinstance(height, int) else 0


def _stream_size(file: BinaryIO) -> tuple[int, int]:
    """(width, height) in the first code stream of a JPEG 2000 file."""
    file.seek(0)
    data = file.read()
    _, _, right, bottom, left, top = struct.unpack_from(">HH4I", data, data.index(b"\xff\x4f\xff\x51") + 4)
    return right - left, bottom - top
