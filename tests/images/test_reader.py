"""Reading pictures: every mode, orientation and kind of damage."""

from __future__ import annotations

import io
import multiprocessing
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from fiqa.errors import ImageError, UsageError
from fiqa.examples import example_paths
from fiqa.images import load

RGB = np.random.default_rng(0).integers(0, 256, (9, 13, 3), dtype=np.uint8)
GREY16 = np.linspace(0, 65535, 9 * 13).reshape(9, 13).astype(np.uint16)


def encoded(image: Image.Image, format: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def status(source: object, **options: int) -> str:
    with pytest.raises(ImageError) as caught:
        load(source, **options)
    assert "\n" not in str(caught.value)
    return caught.value.status


def test_every_kind_of_source_gives_the_same_pixels(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    Image.fromarray(RGB).save(path)
    sources = (path, str(path), path.read_bytes(), bytearray(path.read_bytes()), Image.open(path), RGB)
    for source in sources:
        pixels = load(source)
        assert pixels.dtype == np.uint8
        assert pixels.flags.c_contiguous
        np.testing.assert_array_equal(pixels, RGB)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_orientation_is_applied_as_pillow_does(orientation: int, format: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.fromarray(RGB), format, exif=exif)
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    np.testing.assert_array_equal(load(data), np.asarray(expected))


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_damaged_exif_does_not_hide_the_pixels() -> None:
    data = encoded(Image.fromarray(RGB), "PNG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\x7f")
    np.testing.assert_array_equal(load(data), RGB)


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr", "HSV", "LAB"])
def test_opaque_modes_convert_as_pillow_does(mode: str) -> None:
    image = Image.fromarray(RGB).convert(mode if mode != "LAB" else "RGB")
    if mode == "LAB":
        image = Image.frombytes("LAB", image.size, image.tobytes())
    np.testing.assert_array_equal(load(image), np.asarray(image.convert("RGB")))


def test_cmyk_jpeg_keeps_its_colours() -> None:
    red = Image.new("RGB", (32, 32), (200, 30, 30)).convert("CMYK")
    assert np.abs(load(encoded(red, "JPEG", quality=95)).astype(int) - (200, 30, 30)).max() < 12


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_transparent_pixels_show_white_and_opaque_ones_themselves(mode: str) -> None:
    image = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    image.putpixel((1, 0), (40, 40, 40, 255))
    assert load(image.convert(mode))[0].tolist() == [[255] * 3, [40] * 3]


def test_half_transparent_is_half_white() -> None:
    assert load(Image.new("RGBA", (1, 1), (0, 100, 255, 128)))[0, 0].tolist() == [127, 177, 255]


def test_transparent_colour_of_a_palette_shows_white() -> None:
    image = Image.new("P", (2, 1), 0)
    image.putpalette([9, 9, 9, 70, 80, 90])
    image.putpixel((1, 0), 1)
    assert load(encoded(image, "PNG", transparency=0))[0].tolist() == [[255] * 3, [70, 80, 90]]


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_over_its_whole_range(format: str) -> None:
    expected = np.rint(GREY16 / 65535 * 255).astype(np.uint8)
    pixels = load(encoded(Image.fromarray(GREY16), format))
    np.testing.assert_array_equal(pixels, np.repeat(expected[..., None], 3, axis=2))


@pytest.mark.parametrize("scale", [1.0, 255.0])
def test_float_images_in_both_common_ranges(scale: float) -> None:
    grey = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
    pixels = load(encoded(Image.fromarray(grey * scale), "TIFF"))
    np.testing.assert_array_equal(pixels[..., 1], np.rint(grey * 255))


@pytest.mark.parametrize("bad", [np.nan, -1.0, 300.0])
def test_float_images_outside_their_range_are_refused(bad: float) -> None:
    assert status(Image.fromarray(np.full((2, 2), bad, np.float32))) == "unreadable"


def test_first_frame_of_an_animation() -> None:
    frames = [Image.new("RGB", (5, 5), c) for c in ((255, 0, 0), (0, 255, 0))]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert load(data)[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (RGB[..., 0], np.repeat(RGB[..., :1], 3, axis=2)),
        (RGB[..., :1], np.repeat(RGB[..., :1], 3, axis=2)),
        (RGB.astype(np.uint16) * 257, RGB),
        ((RGB / 255).astype(np.float32), RGB),
        (RGB / 255, RGB),
        (np.dstack([RGB, np.full(RGB.shape[:2], 255, np.uint8)]), RGB),
        (RGB[::-1, ::-1], RGB[::-1, ::-1]),
        (RGB.astype(np.int64), RGB),
        (RGB[..., 0].astype(np.uint32), np.repeat(RGB[..., :1], 3, axis=2)),
        (RGB.astype(np.int16) // 2, RGB // 2),
    ],
    ids=[
        *("grey", "one channel", "uint16", "float32", "float64", "alpha", "not contiguous"),
        *("int64", "grey uint32", "int16"),
    ],
)
def test_arrays(array: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_array_equal(load(array), expected)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (RGB > 9, "integers in 0 to 255, uint16 or float in .0, 1., but got bool"),
        (RGB[..., :2], r"but got \(9, 13, 2\)"),
        (RGB[0, 0], r"but got \(3,\)"),
        (RGB[None], r"but got \(1, 9, 13, 3\)"),
        (RGB.astype(np.int64) - 1, "the int64 array has values outside 0 to 255"),
        (RGB.astype(np.uint32) + 1, "the uint32 array has values outside 0 to 255"),
    ],
    ids=["bool", "two channels", "1-d", "batch", "below 0", "above 255"],
)
def test_arrays_that_hold_no_picture_are_unreadable(bad: np.ndarray, reason: str) -> None:
    with pytest.raises(ImageError, match=reason) as caught:
        load(bad)
    assert caught.value.status == "unreadable"


@pytest.mark.parametrize("bad", [object(), 3, None], ids=["object", "number", "none"])
def test_types_that_hold_no_picture_are_wrong_use(bad: object) -> None:
    with pytest.raises(UsageError):
        load(bad)


@pytest.mark.parametrize("bad", [np.nan, -0.1, 1.5])
def test_float_arrays_outside_0_to_1_are_unreadable(bad: float) -> None:
    array = np.zeros((4, 4, 3))
    array[1, 1, 1] = bad
    assert status(array) == "unreadable"


def test_array_without_pixels_is_unreadable() -> None:
    assert status(np.zeros((0, 5, 3), np.uint8)) == "unreadable"


# ---------------------------------------------------------------- bad files


def test_bad_files_have_their_status(tmp_path: Path) -> None:
    good = example_paths()[0].read_bytes()
    files = {"text.jpg": b"not a picture", "empty.jpg": b"", "cut.jpg": good[: len(good) // 2]}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        assert status(tmp_path / name) == "unreadable"
    (tmp_path / "folder.jpg").mkdir()
    assert status(tmp_path / "folder.jpg") == "unreadable"
    assert status(tmp_path / "absent.jpg") == "missing"
    assert status(tmp_path / "text.jpg" / "x.jpg") == "missing"
    assert status("null\x00byte.jpg") == "unreadable"
    assert status("x" * 5000) == "unreadable"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_a_pipe_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    assert status(tmp_path / "pipe.jpg") == "unreadable"


def _status_as_nobody(path: str) -> str:
    if os.geteuid() == 0:
        os.setuid(65534)
    try:
        load(path)
    except ImageError as error:
        return error.status
    return "ok"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="file permissions of Linux")
def test_a_file_without_permission_is_unreadable() -> None:
    import tempfile

    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        file.write(encoded(Image.fromarray(RGB), "PNG"))
        file.flush()
        os.chmod(file.name, 0)
        with multiprocessing.get_context("fork").Pool(1) as pool:
            assert pool.apply(_status_as_nobody, (file.name,)) == "unreadable"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="file names of bytes")
@pytest.mark.parametrize("name", [b"new\nline.png", b"caf\xe9\xff.png", "日本.png".encode()])
def test_strange_names(tmp_path: Path, name: bytes) -> None:
    path = os.path.join(os.fsencode(tmp_path), name)
    with open(path, "wb") as file:
        file.write(encoded(Image.fromarray(RGB), "PNG"))
    np.testing.assert_array_equal(load(os.fsdecode(path)), RGB)
    os.truncate(path, 40)
    assert status(os.fsdecode(path)) == "unreadable"


def test_too_large_is_told_from_the_header_alone() -> None:
    limit = Image.MAX_IMAGE_PIXELS
    whole = encoded(Image.new("L", (400, 300)), "PNG")
    header = whole[:60]  # decoding this would fail as unreadable
    assert status(header, max_pixels=119_999) == "too_large"
    assert load(whole, max_pixels=120_000).shape == (300, 400, 3)
    assert status(np.zeros((400, 300), np.uint8), max_pixels=119_999) == "too_large"
    assert limit == Image.MAX_IMAGE_PIXELS


def test_a_decompression_bomb_is_too_large() -> None:
    header = b"P5 60000 60000 255\n"
    assert status(header) == "too_large"


def test_formats_that_start_programs_are_not_read() -> None:
    assert status(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n") == "unreadable"


CASES = [
    encoded(Image.fromarray(RGB).resize((40, 30)), format)
    for format in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "PPM")
]


@settings(max_examples=150, deadline=None)
@given(
    data=st.sampled_from(CASES),
    cut=st.integers(0, 5000),
    flips=st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), max_size=20),
)
@pytest.mark.filterwarnings("ignore")
def test_damaged_bytes_give_a_picture_or_a_status(
    data: bytes, cut: int, flips: list[tuple[int, int]]
) -> None:
    damaged = bytearray(data[:cut])
    for place, value in flips:
        if place < len(damaged):
            damaged[place] = value
    try:
        shape = load(bytes(damaged), max_pixels=10_000_000).shape
    except ImageError as error:
        outcome = error.status
    else:
        outcome = "ok" if len(shape) == 3 and shape[2] == 3 else str(shape)
    assert outcome in ("ok", "unreadable", "too_large")
