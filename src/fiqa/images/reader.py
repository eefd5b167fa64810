"""Anything that holds a picture → upright RGB uint8: the one place that knows files and modes."""

from __future__ import annotations

import io
import os
import stat
import struct
import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np
from PIL import ExifTags, Image

from ..errors import ImageError, UsageError
from ..types import ImageArray
from . import formats
from .compression import jpeg_quality
from .encoded import EncodedImage
from .limits import Limits, shared
from .outline import Outline, orientation_of, outline
from .picture import Picture
from .pixels import check_array, from_array, from_image
from .remote import fetch, is_remote
from .truncation import END_OF_IMAGE, missing_share

# What Pillow's readers raise on damaged bytes; files of every format, cut and flipped, show most of it.
DAMAGED = (
    OSError,
    SyntaxError,
    ValueError,
    RuntimeError,  # AVIF, HEIF
    TypeError,
    AttributeError,
    AssertionError,
    IndexError,
    KeyError,
    EOFError,
    OverflowError,
    struct.error,
    zlib.error,
)

_AT_ONCE = 1_000_000  # bytes of a file that is read whole before it is looked at
Hold = Callable[[int], AbstractContextManager[None]]


def load(source: Any, *, limits: Limits | None = None, max_pixels: int | None = None) -> ImageArray:
    """The pixels of one picture; :func:`read` says more about it.

    Args:
        source: what :func:`read` takes.
        limits: what it may cost; None: the defaults.
        max_pixels: the most pixels that are read, in place of that of ``limits``.

    Returns:
        uint8 (H, W, 3), RGB, upright as its EXIF orientation says.

    Raises:
        ImageError: as of :func:`read`.
        UsageError: as of :func:`read`.
    """
    limits = limits or Limits()
    if max_pixels is not None:
        limits = replace(limits, max_pixels=max_pixels)
    return read(source, limits=limits).pixels


def read(source: Any, *, limits: Limits | None = None, at_least: int | None = None) -> Picture:
    """Read one picture.

    Its size is checked from the header before anything is decoded. Of an animation the first frame counts.
    Transparent pixels show white. 16-bit grey is scaled to 8 bits. Decoding takes about 8 bytes a pixel.

    Args:
        source: a path (str, which may hold undecodable bytes as surrogates, or os.PathLike), a URL that
            fsspec can read, the encoded bytes of a file, with a name or without, a PIL image, or an array in
            RGB order: uint8 or another integer type with values in 0 to 255, uint16 over its full range, or
            float in [0, 1]; of shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) with alpha.
        limits: what it may cost; None: the defaults.
        at_least: a JPEG may be decoded at 1/2, 1/4 or 1/8 of its size, as long as its longer side keeps this
            many pixels; the picture's ``scale`` says which it was. None: never reduced.

    Raises:
        ImageError: the picture can't be used; its ``status`` is ``missing``, ``unreadable``, ``too_large``,
            or ``failed`` where time or memory ran out.
        UsageError: ``source`` is none of these.
    """
    limits = limits or Limits()
    if isinstance(source, np.ndarray):
        check_array(source)
        formats.check_size(source.shape[1], source.shape[0], "the array", limits)
        return Picture(pixels=from_array(source))
    if isinstance(source, Image.Image):
        return _from_pillow(source, limits)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return Reading(source, "the given image", limits, at_least).read()
    if isinstance(source, (str, os.PathLike)):
        path = os.fsdecode(source)
        if is_remote(path):
            return Reading(fetch(path, limits), repr(path), limits, at_least).read()
        return Reading(path, repr(path), limits, at_least).read()  # repr escapes newlines, undecodable bytes
    if isinstance(source, EncodedImage):
        if source.error is not None:
            raise source.error
        return Reading(source.data, repr(source.path), limits, at_least).read()
    raise UsageError(
        f"an image must be a path, encoded bytes, an array or a PIL image, but got {type(source).__name__}"
    )


class Reading:
    """One file or its bytes on the way to a picture.

    Args:
        source: a path, or the encoded bytes.
        name: what messages call it.
        limits: what it may cost.
        at_least: as of :func:`read`.
        hold: bytes → a context in which decoding may use them.
        outside: whether a process of its own reads what can hang.
    """

    def __init__(
        self,
        source: str | bytes | bytearray | memoryview,
        name: str,
        limits: Limits,
        at_least: int | None,
        *,
        hold: Hold | None = None,
        outside: bool = True,
    ) -> None:
        self.source, self.name, self.limits, self.at_least = source, name, limits, at_least
        self._hold = hold or (lambda n_bytes: shared.holding(n_bytes, limits.memory))
        self._outside = outside and limits.timeout is not None

    def read(self) -> Picture:
        """The picture; ImageError with its status if it can't be used."""
        try:
            if not isinstance(self.source, str):
                return self._from_file(io.BytesIO(self.source), len(self.source))
            with open_regular(self.source, self.name) as file:
                n_bytes = os.fstat(file.fileno()).st_size
                if n_bytes > _AT_ONCE:
                    return self._from_file(file, n_bytes)
                data = file.read(_AT_ONCE)
            return self._from_file(io.BytesIO(data), len(data))
        except MemoryError as error:
            raise ImageError("failed", f"there was not enough memory to read {self.name}") from error
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:  # of a frame
            raise ImageError("too_large", f"{self.name} is too large: {_reason(error)}") from error
        except DAMAGED as error:
            if "out of memory" in str(error):  # so says Pillow of its decoders
                raise ImageError("failed", f"there was not enough memory to read {self.name}") from error
            raise ImageError("unreadable", f"{self.name} is damaged: {_reason(error)}") from error

    def _from_file(self, file: BinaryIO, n_bytes: int) -> Picture:
        if n_bytes > self.limits.max_bytes:
            most = f"at most {self.limits.max_bytes:,} are read"
            raise ImageError("too_large", f"{self.name} has {n_bytes:,} bytes, and {most}; raise the limit")
        kind = self._kind(file, n_bytes)
        found = self._outline(kind, file, n_bytes)  # None: of another format, or not as it should be
        pixels = None
        if found is not None:
            formats.check_size(*found.size, self.name, self.limits)
            pixels = found.size[0] * found.size[1]
        if self._outside and formats.can_hang(kind, n_bytes, pixels, found.passes if found else 1):
            from .worker import read_outside

            return read_outside(self.source, self.name, self.limits, self.at_least)
        if found is None:
            return self._decode(kind, formats.open_as(kind, file, self.name), file)
        with self._hold(2 * found.n_bytes):
            body = io.BytesIO(found.read(file))
        try:
            return self._decode(kind, formats.open_as(kind, body, self.name), body, found)
        except OSError as error:
            if not (self.limits.tolerant and kind == "JPEG" and "truncated" in str(error)):
                raise
        remark = self._remark(body, found)
        body.seek(0, io.SEEK_END)
        body.write(END_OF_IMAGE)
        picture = self._decode(kind, formats.open_as(kind, body, self.name), body, found)
        return replace(picture, remark=remark)

    def _remark(self, body: BinaryIO, found: Outline) -> str:
        """How much is missing of a truncated JPEG; ImageError if it is all."""
        with self._hold(formats.bytes_to_compare(found)):
            missing = missing_share(body)
        if missing == 1:
            raise ImageError("unreadable", f"{self.name} is truncated before its first row of pixels")
        how = "missing" if found.passes == 1 else "missing or coarse"
        return f"{self.name} is truncated: the lower {missing:.0%} of the picture is {how}"

    def _kind(self, file: BinaryIO, n_bytes: int) -> str:
        head = file.read(formats.HEAD)
        file.seek(max(0, n_bytes - 26))
        tail = file.read(26)
        if not head:
            raise ImageError("unreadable", f"{self.name} is empty")
        kind = formats.identify(head, tail, self.source if isinstance(self.source, str) else None)
        if kind is None:
            raise ImageError("unreadable", f"{self.name} is not an image of a known format")
        return kind

    def _outline(self, kind: str, file: BinaryIO, n_bytes: int) -> Outline | None:
        if kind not in ("JPEG", "PNG"):
            return None
        file.seek(0)
        if self._outside:
            return outline(kind, file, n_bytes)
        return outline(kind, file, n_bytes, most_parts=None)

    def _decode(self, kind: str, image: Image.Image, file: BinaryIO, found: Outline | None = None) -> Picture:
        formats.check_size(image.width, image.height, self.name, self.limits)
        formats.check_inside(image, kind, file, self.name, self.limits)
        scale = _reduce(image, self.at_least) if kind == "JPEG" and self.at_least else 1.0
        passes, n_bytes = (found.passes, found.n_bytes) if found else (1, 0)
        with self._hold(formats.bytes_needed(image, kind, passes=passes) + n_bytes):
            image.load()
            orientation = found.orientation if found else _orientation(image, kind)
            return Picture(
                pixels=from_image(image, self.name, orientation),
                scale=scale,
                jpeg_quality=jpeg_quality(image),
            )


def open_regular(path: str, name: str) -> BinaryIO:
    """An ordinary file, opened for reading; ImageError for anything that is none or can't be opened."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            kind = "a directory" if os.path.isdir(path) else "not a regular file"
            if os.path.isdir(path):
                os.scandir(path).close()  # a folder that can't be listed says so itself, below
            raise ImageError("unreadable", f"{name} is {kind}, not an image")
        return open(path, "rb", opener=_without_waiting)
    except (FileNotFoundError, NotADirectoryError) as error:
        what = "is a link to nothing" if os.path.islink(path) else "does not exist"
        raise ImageError("missing", f"{name} {what}") from error
    except (OSError, ValueError) as error:  # no permission, links in a circle, a name with a null byte
        reason = getattr(error, "strerror", None) or str(error)
        raise ImageError("unreadable", f"{name} can't be opened: {reason}") from error


def _without_waiting(path: str, flags: int) -> int:
    """A pipe that has taken the file's place since it was looked at must not block."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _reduce(image: Image.Image, at_least: int) -> float:
    """Let a JPEG be decoded at a reduced size whose longer side has ``at_least`` pixels; the scale."""
    factor = max(image.size) / at_least
    if factor < 2:
        return 1.0
    full = image.width
    image.draft(None, (int(image.width / factor), int(image.height / factor)))
    return 1 / max(1, round(full / image.width))


def _from_pillow(image: Image.Image, limits: Limits) -> Picture:
    name = "the PIL image"
    formats.check_size(image.width, image.height, name, limits)
    try:
        with shared.holding(formats.bytes_needed(image, image.format or ""), limits.memory):
            image.load()
            return Picture(pixels=from_image(image, name, _orientation(image, image.format or "")))
    except MemoryError as error:
        raise ImageError("failed", f"there was not enough memory to decode {name}") from error
    except DAMAGED as error:
        raise ImageError("unreadable", f"{name} is damaged: {_reason(error)}") from error


def _orientation(image: Image.Image, kind: str) -> int:
    """The EXIF orientation, 1 to 8, of a decoded image; 1 if there is none or the EXIF block is damaged."""
    if kind in ("WEBP", "AVIF", "HEIF"):  # without Pillow's own reader, which warns
        return orientation_of(image.info.get("exif") or b"") or 1
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except DAMAGED:
        return 1  # the pixels are fine: a damaged note on them is no reason to refuse them


def _reason(error: BaseException) -> str:
    text = " ".join(str(error).split()).rstrip(".")
    return text or type(error).__name__
