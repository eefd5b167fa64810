"""Anything that holds a picture → upright RGB uint8: the one place that knows files and modes."""

from __future__ import annotations

import io
import os
import stat
import struct
import zlib
from typing import Any

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from ..errors import ImageError, UsageError
from ..types import ImageArray

MAX_PIXELS = 100_000_000
BACKGROUND = 255  # what lies behind a transparent pixel: white, as on a page

# Photographs only: some of Pillow's other readers start programs (EPS) or accept almost any bytes (TGA).
FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "PPM", "JPEG2000", "AVIF", "HEIF")

# What Pillow's readers raise on damaged bytes; files of every format above, cut and flipped, show most of it.
DAMAGED = (
    OSError,
    SyntaxError,
    ValueError,
    RuntimeError,  # AVIF, HEIF
    TypeError,
    IndexError,
    KeyError,
    EOFError,
    OverflowError,
    MemoryError,
    struct.error,
    zlib.error,
)
_STRIP = 1024  # rows copied at a time, so that a large picture is not held three times


def load(source: Any, *, max_pixels: int = MAX_PIXELS) -> ImageArray:
    """Read one picture.

    The size is checked from the header before anything is decoded, and a picture is never reduced, so that
    landmarks given in pixels keep their meaning; decoding takes about 8 bytes a pixel at its peak. Of an
    animation the first frame counts. Transparent pixels show white. 16-bit grey is scaled to 8 bits.

    Args:
        source: a path (str, which may hold undecodable bytes as surrogates, or os.PathLike), the encoded
            bytes of a file, a PIL image, or an array in RGB order: uint8 or uint16 over their full range or
            float in [0, 1], of shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) with alpha.
        max_pixels: the most pixels that are read.

    Returns:
        uint8 (H, W, 3), RGB, upright as its EXIF orientation says.

    Raises:
        ImageError: the picture can't be used; its ``status`` is ``missing``, ``unreadable`` or ``too_large``.
        UsageError: ``source`` is of a type that holds no picture.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source, max_pixels)
    if isinstance(source, Image.Image):
        return _decode(source, "the PIL image", max_pixels)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _from_stream(io.BytesIO(source), "the given bytes", max_pixels)
    if isinstance(source, (str, os.PathLike)):
        return _from_path(os.fsdecode(source), max_pixels)
    raise UsageError(
        f"an image must be a path, encoded bytes, an array or a PIL image, but got {type(source).__name__}"
    )


def _from_path(path: str, max_pixels: int) -> ImageArray:
    name = repr(path)  # escapes newlines and undecodable bytes
    try:
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode):  # a pipe or a device would block
            kind = "a directory" if stat.S_ISDIR(mode) else "not a regular file"
            raise ImageError("unreadable", f"{name} is {kind}, not an image.")
        with open(path, "rb") as file:
            return _from_stream(file, name, max_pixels)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ImageError("missing", f"{name} does not exist.") from error
    except (OSError, ValueError) as error:  # no permission, a name too long or with a null byte
        reason = getattr(error, "strerror", None) or str(error)
        raise ImageError("unreadable", f"{name} can't be opened: {reason}.") from error


def _from_stream(file: Any, name: str, max_pixels: int) -> ImageArray:
    Image.init()
    try:
        with Image.open(file, formats=[name for name in FORMATS if name in Image.OPEN]) as image:
            return _decode(image, name, max_pixels)
    except UnidentifiedImageError as error:
        raise ImageError("unreadable", f"{name} is not an image of a known format.") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError("too_large", f"{name} is too large: {error}") from error
    except DAMAGED as error:
        raise ImageError("unreadable", f"{name} is damaged: {_reason(error)}.") from error


def _decode(image: Image.Image, name: str, max_pixels: int) -> ImageArray:
    _check_size(image.width, image.height, name, max_pixels)
    try:
        image.load()
        return np.ascontiguousarray(_upright(_rgb(image, name), _orientation(image)))
    except DAMAGED as error:
        raise ImageError("unreadable", f"{name} is damaged: {_reason(error)}.") from error


def _reason(error: BaseException) -> str:
    return str(error).rstrip(".") or type(error).__name__


def _check_size(width: int, height: int, name: str, max_pixels: int) -> None:
    if width * height > max_pixels:
        size = f"{width} x {height} = {width * height:,} pixels"
        raise ImageError("too_large", f"{name} has {size}, and at most {max_pixels:,} are read; reduce it.")
    if width * height == 0:
        raise ImageError("unreadable", f"{name} has no pixels.")


def _rgb(image: Image.Image, name: str) -> ImageArray:
    """Pixels (H, W, 3) of a decoded image of any mode."""
    mode = image.mode
    if mode.startswith("I;16") or mode in ("I", "F"):
        return _from_numbers(np.asarray(image), name)
    if mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info:
        return _over_background(_pixels(image.convert("RGBA")))
    return _pixels(image if mode == "RGB" else image.convert("RGB"))


def _pixels(image: Image.Image) -> ImageArray:
    out = np.empty((image.height, image.width, len(image.getbands())), dtype=np.uint8)
    for top in range(0, image.height, _STRIP):
        bottom = min(top + _STRIP, image.height)
        out[top:bottom] = np.asarray(image.crop((0, top, image.width, bottom)))
    return out


def _over_background(rgba: ImageArray) -> ImageArray:
    alpha = rgba[..., 3:].astype(np.uint16)
    mixed = rgba[..., :3] * alpha + BACKGROUND * (255 - alpha)
    return ((mixed + 127) // 255).astype(np.uint8)


def _from_numbers(grey: np.ndarray, name: str) -> ImageArray:
    """Grey (H, W) of 16-bit integers, or of floats in [0, 1] or, as Pillow's own mode F, in [0, 255]."""
    low, high = grey.min(), grey.max()
    limit = 255 if grey.dtype.kind == "f" else 65535
    if not (low >= 0 and high <= limit):  # NaN fails both
        raise ImageError("unreadable", f"{name} has pixels outside 0 to {limit}: convert it to 8 bits.")
    if grey.dtype.kind == "f":
        scale = 255.0 if high <= 1 else 1.0
    else:
        scale = 255 / 65535
    return _grey(np.rint(grey * scale).astype(np.uint8))


def _grey(values: ImageArray) -> ImageArray:
    return np.repeat(values[..., None], 3, axis=2)


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 if there is none or the EXIF block is damaged."""
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except DAMAGED:
        return 1  # the pixels are fine: a damaged note on them is no reason to refuse them


def _upright(pixels: ImageArray, orientation: int) -> ImageArray:
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


def _from_array(array: np.ndarray, max_pixels: int) -> ImageArray:
    shape, name = array.shape, "the array"
    if not (array.ndim == 2 or (array.ndim == 3 and shape[2] in (1, 3, 4))):
        raise UsageError(f"an image array must be (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), but got {shape}")
    _check_size(shape[1], shape[0], name, max_pixels)
    if array.dtype == np.uint16:
        array = np.rint(array * (255 / 65535)).astype(np.uint8)
    elif array.dtype.kind == "f":
        if not (array.min() >= 0 and array.max() <= 1):  # NaN fails both
            raise ImageError(
                "unreadable", "the float array has values outside 0 to 1: divide it by its range."
            )
        array = np.rint(array * 255.0).astype(np.uint8)
    elif array.dtype != np.uint8:
        raise UsageError(f"an image array must be uint8, uint16 or float in [0, 1], but got {array.dtype}")
    if array.ndim == 2 or shape[2] == 1:
        return _grey(array.reshape(shape[:2]))
    return np.ascontiguousarray(array) if shape[2] == 3 else _over_background(array)
