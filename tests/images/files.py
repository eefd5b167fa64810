"""Makes images for the tests: good ones of every format, damaged ones from a seed, special ones by hand."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Iterator
from functools import cache

import numpy as np
from PIL import Image

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "TGA", "JPEG2000", "AVIF")
SIZE = (120, 90)


def encoded(image: Image.Image, format: str, **options: object) -> bytes:
    """The file that Pillow writes."""
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


@cache
def scene(mode: str = "RGB") -> Image.Image:
    """A picture with smooth and rough parts."""
    across, down = np.meshgrid(np.linspace(0, 255, SIZE[0]), np.linspace(0, 255, SIZE[1]))
    pixels = np.stack([across, down, 255 - across], axis=-1).astype(np.uint8)
    pixels[20:60, 30:90] = np.random.default_rng(3).integers(0, 256, (40, 60, 3))
    return Image.fromarray(pixels).convert(mode)


@cache
def good_files() -> dict[str, bytes]:
    """Name → a file that every reader should take."""
    files = {f"plain.{name.lower()}": encoded(scene(), name) for name in FORMATS}
    files |= {f"grey.{name.lower()}": encoded(scene("L"), name) for name in FORMATS if name != "AVIF"}
    files["progressive.jpeg"] = encoded(scene(), "JPEG", progressive=True)
    files["cmyk.jpeg"] = encoded(scene("CMYK"), "JPEG")
    files["alpha.png"] = encoded(scene("RGBA"), "PNG")
    files["palette.png"] = encoded(scene("P"), "PNG")
    files["bits.png"] = encoded(scene("1"), "PNG")
    for compression in ("tiff_lzw", "tiff_deflate", "jpeg", "packbits"):
        files[f"{compression}.tiff"] = encoded(scene(), "TIFF", compression=compression)
    files["codestream.j2k"] = encoded(scene(), "JPEG2000", no_jp2=True)
    files["lossless.webp"] = encoded(scene(), "WEBP", lossless=True)
    files["rle.tga"] = encoded(scene(), "TGA", compression="tga_rle")
    return files


def mutated_files(count: int, seed: int = 20) -> Iterator[tuple[str, bytes]]:
    """(name, bytes) of ``count`` good files that were cut, flipped, overwritten, doubled or mixed."""
    rng, names = random.Random(seed), sorted(good_files())
    for number in range(count):
        name = rng.choice(names)
        data = bytearray(good_files()[name])
        for _ in range(rng.randint(1, 3)):
            _mutate(data, rng, names)
        yield f"{number:04d}-{name}", bytes(data)


def _mutate(data: bytearray, rng: random.Random, names: list[str]) -> None:
    """One change in place; headers are changed more often than pixels."""
    if not data:
        return
    end = rng.choice((64, 600, len(data)))
    place = rng.randrange(min(end, len(data)))
    kind = rng.choice(("cut", "flip", "number", "zeros", "double", "remove", "mix"))
    if kind == "cut":
        del data[place:]
    elif kind == "flip":
        for _ in range(rng.randint(1, 20)):
            data[rng.randrange(min(end, len(data)))] ^= 1 << rng.randrange(8)
    elif kind == "number":  # sizes, counts and offsets
        value = rng.choice((0, 1, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, rng.getrandbits(32)))
        data[place : place + 4] = struct.pack(rng.choice("<>") + "I", value)
    elif kind == "zeros":
        data[place : place + 50] = bytes(50)
    elif kind == "double":
        data[place:place] = data[place : place + rng.randint(1, 500)]
    elif kind == "remove":
        del data[place : place + rng.randint(1, 50)]
    else:
        other = good_files()[rng.choice(names)]
        data[place:] = other[min(place, len(other)) :]


# ---------------------------------------------------------------- special files


def segment(marker: int, data: bytes) -> bytes:
    """A segment of a JPEG file."""
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG file."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_segments(*segments: bytes) -> bytes:
    """A good JPEG with something before its first segment."""
    data = good_files()["plain.jpeg"]
    return data[:2] + b"".join(segments) + data[2:]


def with_chunks(*chunks: bytes) -> bytes:
    """A good PNG with something behind its header."""
    data = good_files()["plain.png"]
    return data[:33] + b"".join(chunks) + data[33:]


def tiled_tiff(tile: tuple[int, int], compression: int = 5) -> bytes:
    """A grey TIFF of 100 × 100 pixels in tiles of any size, with no data worth the name."""
    values = {256: 100, 257: 100, 258: 8, 259: compression, 262: 1, 277: 1, 322: tile[0], 323: tile[1]}
    values |= {324: 8, 325: 100}
    tags = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in values.items())
    return b"II*\0" + struct.pack("<I", 120) + bytes(112) + struct.pack("<H", len(values)) + tags + bytes(4)


def code_stream(width: int, height: int, tile: int | None = None, *, jp2: bool = False) -> bytes:
    """A JPEG 2000 file whose stream claims a size."""
    data = bytearray(good_files()["plain.jpeg2000" if jp2 else "codestream.j2k"])
    start = data.index(b"\xff\x4f\xff\x51") + 8
    struct.pack_into(">2I", data, start, width, height)
    struct.pack_into(">2I", data, start + 16, tile or width, tile or height)
    return bytes(data)


def many_scans(side: int, scans: int) -> bytes:
    """A progressive JPEG that goes over its picture thousands of times."""
    data = encoded(Image.new("L", (side, side)), "JPEG", progressive=True)
    start = data.rindex(b"\xff\xda")
    head = data[start : start + 2 + struct.unpack_from(">H", data, start + 2)[0]]
    return data[:-2] + head * scans + b"\xff\xd9"


_EXIF = b"Exif\0\0MM\0*\0\0\0\x08"
_XMP = b"http://ns.adobe.com/xap/1.0/\0"


@cache
def laden_files() -> dict[str, bytes]:
    """Name → a JPEG or PNG whose pixels are fine, however large or broken its metadata is."""
    bomb = zlib.compress(bytes(20_000_000), 9)
    return {
        "300-exif.jpg": with_segments(segment(0xE1, _EXIF + bytes(65_000)) * 300),
        "300-xmp.jpg": with_segments(segment(0xE1, _XMP + b"x" * 65_000) * 300),
        "300-comments.jpg": with_segments(segment(0xFE, b"c" * 65_000) * 300),
        "40000-empty.jpg": with_segments(segment(0xE5, b"") * 40_000),
        "icc-missing-parts.jpg": with_segments(segment(0xE2, b"ICC_PROFILE\0\x01\x09" + bytes(60_000))),
        "icc-without-number.jpg": with_segments(segment(0xE2, b"ICC_PROFILE\0")),
        "mpf.jpg": with_segments(segment(0xE2, b"MPF\0" + b"x" * 600)),
        "photoshop.jpg": with_segments(segment(0xED, b"Photoshop 3.0\x008BIM\xff")),
        "exif-of-noise.jpg": with_segments(segment(0xE1, _EXIF + b"\xff" * 600)),
        "exif-empty.jpg": with_segments(segment(0xE1, b"Exif\0\0")),
        "jfif-short.jpg": with_segments(segment(0xE0, b"JFIF\0")),
        "filling.jpg": with_segments(b"\xff" * 300),
        "trailer.jpg": good_files()["plain.jpeg"] + bytes(100_000),
        "large-itxt.png": with_chunks(chunk(b"iTXt", b"c\0\0\0\0\0" + b"x" * 5_000_000)),
        "ztxt-bomb.png": with_chunks(chunk(b"zTXt", b"c\0\0" + bomb)),
        "itxt-bomb.png": with_chunks(chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + bomb)),
        "profile-bomb.png": with_chunks(chunk(b"zTXt", b"Raw profile type exif\0\0" + bomb)),
        "iccp-bomb.png": with_chunks(chunk(b"iCCP", b"c\0\0" + bomb)),
        "iccp-of-noise.png": with_chunks(chunk(b"iCCP", b"c\0\0noise")),
        "wrong-sum.png": with_chunks(chunk(b"tEXt", b"c\0x")[:-1] + b"?"),
        "exif-of-noise.png": with_chunks(chunk(b"eXIf", b"MM\0*\xff\xff\xff\xff")),
        "short-phys.png": with_chunks(chunk(b"pHYs", b"\0")),
        "40000-texts.png": with_chunks(chunk(b"tEXt", b"c\0x") * 40_000),
    }


@cache
def special_files() -> dict[str, bytes]:
    """Name → a file that lies, costs more than it looks, or is no picture."""
    files = {f"tile-{side}.tiff": tiled_tiff((side, side)) for side in (16, 8192, 16384, 60000, 2**31)}
    files |= {f"tile-{side}-jpeg.tiff": tiled_tiff((side, side), 7) for side in (16, 8192, 60000)}
    files |= {f"stream-{side}.j2k": code_stream(side, side) for side in (0, 121, 9999, 60000, 2**32 - 1)}
    files |= {f"stream-{side}.jp2": code_stream(side, side, jp2=True) for side in (0, 121, 9999, 60000)}
    files |= {f"tiles-of-{side}.j2k": code_stream(9999, 9999, side) for side in (1, 40)}
    for magic in (b"P1", b"P2", b"P3", b"P4", b"P5", b"P6", b"Pf"):
        for size in (b"0 0", b"9 9", b"60000 60000", b"99999999999 1", b"-1 4", b"x"):
            files[f"{magic.decode()}-{size.decode()}.ppm"] = magic + b"\n" + size + b"\n255\n1 2 3 4"
    files["comment.ppm"] = b"P6\n#" + b"x" * 500_000 + b"\n4 4\n255\n" + bytes(48)
    for name, data in good_files().items():
        files[f"head-of-{name}"] = data[:30]
        files[f"twice-{name}"] = data + data
    files["text.jpg"], files["empty.png"], files["one-byte.gif"] = b"not a picture", b"", b"G"
    files["postscript.jpg"] = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n"
    files["svg.png"] = b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>"
    return files
