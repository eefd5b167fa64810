"""Overlays: colours mean the values, one scale for all, and the words are on the picture."""

from __future__ import annotations

import numpy as np
import pytest

from fiqa.errors import UsageError
from fiqa.pages import COLOURS, colours, notice, overlay, portrait, sheet

CROP = np.full((112, 112, 3), 128, np.uint8)
MAP = np.linspace(-1, 3, 196, dtype=np.float32).reshape(14, 14)


def test_each_patch_shows_the_colour_of_its_value() -> None:
    size = 14 * 16
    picture = np.asarray(overlay(CROP, MAP, vmin=-1, vmax=3, size=size, opacity=1.0))
    centres = picture[8:size:16, 8:size:16]
    np.testing.assert_allclose(centres.astype(int), colours(MAP, -1, 3), atol=1)


def test_without_opacity_the_face_is_left_in_grey() -> None:
    picture = np.asarray(overlay(CROP, MAP, vmin=-1, vmax=3, size=112, opacity=0))
    np.testing.assert_array_equal(picture[:112, :112], CROP)


def test_the_scale_runs_from_left_to_right_and_says_which_way() -> None:
    picture = np.asarray(overlay(CROP, MAP, vmin=-1, vmax=3, size=256))
    bar = picture[256 + 4 + 2]
    np.testing.assert_array_equal(bar[[0, 255]], COLOURS[[0, 255]])
    ends = picture[256 + 14 :]
    assert (ends[:, :128] < 100).any()
    assert (ends[:, 128:] < 100).any()
    other = np.asarray(overlay(CROP, MAP, vmin=-2, vmax=3, size=256))[256 + 14 :]
    assert (ends[:, :128] != other[:, :128]).any()
    narrow = overlay(CROP, MAP, vmin=-1, vmax=3, size=40)  # no room for words: the numbers alone
    assert narrow.width == 40


def test_label_is_written_below_the_face() -> None:
    plain = overlay(CROP, MAP, vmin=0, vmax=1)
    labelled = overlay(CROP, MAP, vmin=0, vmax=1, label="attn 0.1234")
    other = overlay(CROP, MAP, vmin=0, vmax=1, label="attn 0.1235")
    assert plain.width == labelled.width == 448
    assert labelled.height > plain.height
    strip = np.asarray(labelled)[plain.height :]
    assert (strip < 100).any()
    assert (strip != np.asarray(other)[plain.height :]).any()
    np.testing.assert_array_equal(np.asarray(labelled)[: plain.height], np.asarray(plain))


def test_a_long_or_strange_label_stays_on_one_line() -> None:
    picture = overlay(CROP, MAP, vmin=0, vmax=1, label="new\nline é 日本 " + "x" * 500)
    assert picture.size == overlay(CROP, MAP, vmin=0, vmax=1, label="a").size


def test_a_map_alone_is_drawn_on_its_own_scale() -> None:
    own = overlay(CROP, MAP)
    assert own.tobytes() == overlay(CROP, MAP, vmin=MAP.min(), vmax=MAP.max()).tobytes()
    assert overlay(CROP, MAP, vmin=-9).tobytes() == overlay(CROP, MAP, vmin=-9, vmax=MAP.max()).tobytes()


@pytest.mark.parametrize(
    "change",
    [
        {"patch_map": MAP.ravel()},
        {"patch_map": MAP * np.nan},
        {"patch_map": np.zeros((0, 3))},
        {"vmin": 2.0, "vmax": 1.0},
        {"vmax": np.inf},
        {"size": 3},
        {"opacity": 2.0},
    ],
)
def test_wrong_arguments_are_refused(change: dict[str, object]) -> None:
    arguments: dict = {"patch_map": MAP, "vmin": 0.0, "vmax": 1.0, **change}
    with pytest.raises(UsageError):
        overlay(CROP, **arguments)


def test_sheet_places_every_picture_whole() -> None:
    pictures = [overlay(CROP, MAP + i, vmin=-1, vmax=6, label=str(i), size=100 + 20 * i) for i in range(3)]
    out = np.asarray(sheet([pictures[:2], pictures[2:]], columns=["attn", "vitnt"], labels=["a", "b"]))
    for picture in pictures:
        wanted = np.asarray(picture)
        h, w = wanted.shape[:2]
        places = np.argwhere(
            (out[: out.shape[0] - h + 1, : out.shape[1] - w + 1] == wanted[0, 0]).all(axis=2)
        )
        assert any((out[y : y + h, x : x + w] == wanted).all() for y, x in places)


@pytest.mark.parametrize("titles", [{"columns": ["a"]}, {"labels": ["a", "b"]}])
def test_sheet_checks_its_titles(titles: dict[str, list[str]]) -> None:
    picture = overlay(CROP, MAP, vmin=0, vmax=1)
    with pytest.raises(UsageError):
        sheet([[picture, picture]], **titles)
    with pytest.raises(UsageError):
        sheet([])


def test_a_portrait_stands_beside_its_maps():
    crop, flat = np.full((112, 112, 3), 90, np.uint8), np.zeros((14, 14), np.float32)
    none, one, two = (portrait(crop, dict.fromkeys(names, flat)) for names in ((), ("a",), ("a", "b")))
    assert none.width < one.width < two.width
    assert none.getpixel((none.width // 2, none.height // 2)) == (90, 90, 90)


def test_a_notice_takes_the_lines_that_its_text_needs():
    short, long = notice("no_face: no face was found"), notice("word " * 60)
    assert short.width == long.width
    assert short.height < long.height
    assert short.getextrema()[0][0] < 100  # something is written
    assert notice("x" * 500 + "\n\0").height < long.height  # a word wider than the picture is cut
