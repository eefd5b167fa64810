"""The start of a JPEG or PNG file → what its pixels need of it, without the metadata.

Metadata decides no pixel, but can cost any amount of time and memory, and a damaged piece of it makes Pillow
refuse the whole file. So only its orientation is read, here, and Pillow is given the rest.
"""

from __future__ import annotations

import io
import re
import struct
import zlib
from dataclasses import dataclass, field
from typing import BinaryIO

MANY_PARTS = 50_000  # segments or chunks; a photo of 100 megapixels has 13,000
_MOST_NOTE = 1 << 20  # bytes of one piece of metadata that are looked at

_JPEG_SIZES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_JPEG_BARE = {0x01, *range(0xD0, 0xDA)}  # markers without a length
_PNG_KEPT = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}


@dataclass(slots=True, kw_only=True)
class Outline:
    """What the pixels of a file need.

    Attributes:
        size: (width, height) as stored.
        orientation: as EXIF counts, 1 to 8.
        passes: how often the decoder goes over the picture: the scans of a progressive JPEG.
        parts: (offset, length) in the file, in order.
    """

    size: tuple[int, int] = (0, 0)
    orientation: int = 1
    passes: int = 1
    parts: list[tuple[int, int]] = field(default_factory=list)

    @property
    def n_bytes(self) -> int:
        """Length of the file without its metadata."""
        return sum(length for _, length in self.parts)

    def keep(self, offset: int, length: int) -> None:
        """Add a part, joined to the last one if it follows it."""
        if self.parts and sum(self.parts[-1]) == offset:
            self.parts[-1] = (self.parts[-1][0], self.parts[-1][1] + length)
        else:
            self.parts.append((offset, length))

    def read(self, file: BinaryIO) -> bytes:
        """The file without its metadata."""
        body = io.BytesIO()
        for offset, length in self.parts:
            file.seek(offset)
            body.write(file.read(length))
        return body.getvalue()


def outline(
    kind: str, file: BinaryIO, n_bytes: int, *, most_parts: int | None = MANY_PARTS
) -> Outline | None:
    """The outline of a JPEG or PNG file; None if it has too many parts or does not look as it should."""
    walk = {"JPEG": _jpeg, "PNG": _png}[kind]
    try:
        return walk(file, n_bytes, most_parts or n_bytes)
    except (struct.error, IndexError):  # it ends before its pixels begin
        return None


# ---------------------------------------------------------------- JPEG


def _jpeg(file: BinaryIO, n_bytes: int, most_parts: int) -> Outline | None:
    out, exif, xmp = Outline(), b"", b""
    out.keep(0, 2)
    file.seek(2)
    for _ in range(most_parts):
        offset = file.tell()
        first, marker = struct.unpack("2B", file.read(2))
        if first != 0xFF or marker in (0x00, 0xFF):  # filling or junk before a marker
            file.seek(offset + 1)
            continue
        if marker in _JPEG_BARE:
            if marker == 0xD9:
                return None  # the end, before any pixels
            continue
        (length,) = struct.unpack(">H", file.read(2))
        if marker == 0xDA:  # from here on all is pixels
            out.keep(offset, n_bytes - offset)
            out.orientation = orientation_of(exif) or _xmp_orientation(xmp) or 1
            out.passes = _scans(file, offset)
            return out if min(out.size) > 0 else None
        data = file.read(length - 2) if marker == 0xE1 or marker in (0xE0, 0xEE) else b""
        if marker == 0xE1 and data.startswith(b"Exif\0\0"):
            exif = exif or data[6:]
        elif marker == 0xE1 and data.startswith(b"http://ns.adobe.com/xap/1.0/\0"):
            xmp = xmp or data
        if marker in _JPEG_SIZES:
            _, height, width = struct.unpack(">BHH", file.read(5))
            out.size = (width, height)
        # JFIF and Adobe say how colours are stored; all other notes and comments are left out
        says_colours = data.startswith((b"JFIF", b"Adobe")) and len(data) >= 12
        if says_colours or not (0xE0 <= marker <= 0xEF or marker == 0xFE):
            out.keep(offset, 2 + length)
        file.seek(offset + 2 + length)
    return None


def _scans(file: BinaryIO, offset: int) -> int:
    """Starts of a scan from ``offset`` on; among the pixels the marker stands for nothing else."""
    file.seek(offset)
    count, last = 0, b""
    while block := file.read(1 << 20):
        count += (last + block).count(b"\xff\xda")
        last = block[-1:] if block.endswith(b"\xff") else b""
    return max(1, count)


# ---------------------------------------------------------------- PNG


def _png(file: BinaryIO, n_bytes: int, most_parts: int) -> Outline | None:
    out = Outline()
    notes: dict[str, bytes] = {}
    out.keep(0, 8)
    file.seek(8)
    for _ in range(most_parts):
        offset = file.tell()
        head = file.read(8)
        if len(head) < 8:
            break
        length, kind = struct.unpack(">I4s", head)
        if kind == b"IHDR":
            out.size = struct.unpack(">2I", file.read(8))
        elif kind in (b"eXIf", b"zTXt", b"tEXt", b"iTXt") and length <= _MOST_NOTE:
            name, text = _png_note(kind, file.read(length))
            notes.setdefault(name, text)
        if kind in _PNG_KEPT:
            out.keep(offset, min(12 + length, n_bytes - offset))
        if kind == b"IEND":
            break
        file.seek(offset + 12 + length)
    else:
        return None
    exif = notes.get("exif") or _profile(notes.get("Raw profile type exif", b""))
    out.orientation = orientation_of(exif) or _xmp_orientation(notes.get("XML:com.adobe.xmp", b"")) or 1
    return out if min(out.size) > 0 else None


def _png_note(kind: bytes, data: bytes) -> tuple[str, bytes]:
    """(name, text) of a piece of metadata; what can't be read is empty."""
    if kind == b"eXIf":
        return "exif", data
    name, _, text = data.partition(b"\0")
    if name not in (b"Raw profile type exif", b"XML:com.adobe.xmp"):
        return "", b""
    if kind == b"iTXt":
        packed, text = text[:1] == b"\1", text[2:].split(b"\0", 2)[-1]
    else:
        packed, text = kind == b"zTXt", text[1:] if kind == b"zTXt" else text
    if packed:
        try:
            text = zlib.decompressobj().decompress(text, _MOST_NOTE)
        except zlib.error:
            text = b""
    return name.decode("latin-1"), text


def _profile(text: bytes) -> bytes:
    """The bytes of an EXIF block that ImageMagick wrote as text: a name, a length, hexadecimal lines."""
    try:
        return bytes.fromhex("".join(text.decode("ascii").split("\n")[3:])).removeprefix(b"Exif\0\0")
    except ValueError:
        return b""


# ---------------------------------------------------------------- orientation


def orientation_of(exif: bytes) -> int | None:
    """The orientation, 1 to 8, in an EXIF block, with or without its ``Exif`` prefix; None if it has none."""
    exif = exif.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        return None
    try:
        (start,) = struct.unpack_from(f"{order}I", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, start)
        for i in range(count):
            entry = start + 2 + 12 * i
            tag, kind = struct.unpack_from(f"{order}HH", exif, entry)
            if tag == 0x0112:
                (value,) = struct.unpack_from(order + ("I" if kind == 4 else "H"), exif, entry + 8)
                return value if 1 <= value <= 8 else None
    except struct.error:
        pass  # the pixels are fine: a damaged note on them is no reason to refuse them
    return None


def _xmp_orientation(xmp: bytes) -> int | None:
    found = re.search(rb"tiff:Orientation(?:=\"|>)([1-8])", xmp)
    return int(found[1]) if found else None
