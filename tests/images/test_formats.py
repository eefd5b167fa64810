"""Which format a file has, formats that need an extra, and inputs that are no files."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fiqa.errors import ImageError
from fiqa.images import Limits, formats, load
from images.files import chunk, encoded, good_files, scene, segment, with_chunks, with_segments

# the start of a HEIC file, as a phone writes it
HEIC = b"\0\0\0\x24ftypheic\0\0\0\0mif1MiHBMiHEMiPrheictmap" + bytes(100)


def test_tga_is_told_by_its_name_or_its_footer(tmp_path: Path) -> None:
    data = good_files()["plain.tga"]
    assert data.endswith(b"TRUEVISION-XFILE.\0")
    np.testing.assert_array_equal(load(data), np.asarray(scene()))
    old = data[:-26]  # the first version has no footer
    (tmp_path / "x.TGA").write_bytes(old)
    np.testing.assert_array_equal(load(tmp_path / "x.TGA"), np.asarray(scene()))
    with pytest.raises(ImageError, match="not an image of a known format"):
        load(old)


@pytest.mark.parametrize("suffix", ["heic", "heif"])
def test_heic_and_heif_are_read_with_their_extra(suffix: str) -> None:
    heif = pytest.importorskip("pillow_heif", reason="needs the extra heif")
    file = io.BytesIO()
    heif.from_pillow(scene().resize((320, 240))).save(file, quality=95)
    pixels = load(file.getvalue())
    assert pixels.shape == (240, 320, 3)
    assert np.abs(pixels - np.asarray(scene().resize((320, 240)), float)).mean() < 8


@pytest.mark.parametrize("timeout", [None, 30.0])
def test_without_the_extra_the_sentence_names_it(timeout: float | None, tmp_path: Path) -> None:
    (tmp_path / "pillow_heif.py").write_text("raise ModuleNotFoundError('no', name='pillow_heif')\n")
    (tmp_path / "x.heic").write_bytes(HEIC)
    program = (
        "from fiqa.images import Limits, load\nfrom fiqa.errors import ImageError\n"
        f"try: load('x.heic', limits=Limits(timeout={timeout}))\n"
        "except ImageError as error: print(error.status, error)"
    )
    path = os.pathsep.join([str(tmp_path), *sys.path])
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert run.stdout.startswith("unreadable 'x.heic' can't be read: reading HEIC and HEIF needs pillow_heif")
    assert "pip install 'fiqa[heif]'" in run.stdout
    assert run.stderr == ""


def test_avif_is_not_taken_for_heif() -> None:
    data = good_files()["plain.avif"]
    assert formats.identify(data[:64], data[-26:], None) == "AVIF"


@pytest.mark.parametrize("kind", ["exif", "xmp"])
@pytest.mark.parametrize("order", ["II", "MM"])
def test_orientation_survives_the_metadata(kind: str, order: str) -> None:
    number = {"II": b"\x06\0\0\0", "MM": b"\0\x06\0\0"}[order]
    start = {"II": b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0", "MM": b"MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1"}[
        order
    ]
    exif = start + number + bytes(4)
    xmp = b"<x tiff:Orientation='1'/>".replace(b"'1'", b'"6"')
    jpeg = {"exif": b"Exif\0\0" + exif, "xmp": b"http://ns.adobe.com/xap/1.0/\0" + xmp}[kind]
    png = {
        "exif": chunk(b"zTXt", b"Raw profile type exif\0\0" + _packed(exif)),
        "xmp": chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp),
    }[kind]
    many = segment(0xE1, b"Exif\0\0" + bytes(60_000)) * 3
    for data, plain in (
        (with_segments(segment(0xE1, jpeg), many), "plain.jpeg"),
        (with_chunks(png), "plain.png"),
    ):
        np.testing.assert_array_equal(load(data), np.rot90(load(good_files()[plain]), -1))


def _packed(exif: bytes) -> bytes:
    import zlib

    text = (b"Exif\0\0" + exif).hex()
    return zlib.compress(f"\nexif\n{len(text) // 2:8}\n{text}\n".encode())


# ---------------------------------------------------------------- what is no file


def sentence(path: object, status: str) -> str:
    with pytest.raises(ImageError) as caught:
        load(path)
    assert caught.value.status == status
    return str(caught.value)


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="no links on this system")
def test_links_that_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    (tmp_path / "nothing.jpg").symlink_to("gone.jpg")
    assert "can't be opened: Too many levels of symbolic links" in sentence(
        tmp_path / "loop.jpg", "unreadable"
    )
    assert "is a link to nothing" in sentence(tmp_path / "nothing.jpg", "missing")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_pipes_and_devices_do_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    for path in (tmp_path / "pipe.jpg", "/dev/zero", "/dev/stdin"):
        assert "not a regular file" in sentence(path, "unreadable") or path == "/dev/stdin"


def test_an_empty_file_is_said_to_be_empty(tmp_path: Path) -> None:
    (tmp_path / "x.jpg").touch()
    assert "is empty" in sentence(tmp_path / "x.jpg", "unreadable")


def test_nothing_is_said_on_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    """Truncated TIFF tags, a huge picture, and notes that Pillow and libtiff would warn of."""
    tiff = good_files()["tiff_lzw.tiff"]
    for data in (
        tiff[:-30],
        tiff.replace(b"\x16\x01", b"\x16\xff"),
        encoded(scene("1").resize((9500, 9500)), "PNG"),
    ):
        with contextlib.suppress(ImageError):
            load(data, limits=Limits(max_pixels=95_000_000))
    assert capfd.readouterr().err == ""
