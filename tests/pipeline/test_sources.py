"""What to score: files, folders, patterns, lists, and names that are no text."""

from __future__ import annotations

import codecs
import io
import os
import sys
from pathlib import Path

import pytest

from fiqa.errors import DataError, ImageError, UsageError
from fiqa.images import load
from fiqa.images.formats import SUFFIXES, is_image_name
from fiqa.pipeline import manifest_of
from fiqa.pipeline.sources import expand


@pytest.fixture
def tree(tmp_path, monkeypatch) -> Path:
    for name in ("b.jpg", "a.PNG", "notes.txt", "sub/c.jpeg", "sub/deep/d.webp", "sub/none.md", "a/z.jpg"):
        file = tmp_path / "photos" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    (tmp_path / "photos" / "folder.jpg").mkdir()
    (tmp_path / "photos" / "folder.jpg" / "inside.jpg").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_folder_gives_its_images_sorted_and_a_folder_named_like_one(tree):
    names = ["a.PNG", "b.jpg", "folder.jpg", "a/z.jpg", "sub/c.jpeg", "sub/deep/d.webp"]
    assert expand(["photos"]) == [os.path.join("photos", *name.split("/")) for name in names]
    assert expand([tree / "photos"]) == [str(tree / "photos" / name) for name in names]


def test_inputs_keep_their_order_and_come_once(tree):
    found = expand(["photos/sub/c.jpeg", "photos/b.jpg", "photos/sub", "photos/b.jpg"])
    assert found == ["photos/sub/c.jpeg", "photos/b.jpg", "photos/sub/deep/d.webp"]


def test_a_file_is_taken_whatever_its_name_and_whether_it_exists_or_not(tree):
    assert expand(["photos/notes.txt", "nowhere.jpg", "nowhere"]) == [
        "photos/notes.txt",
        "nowhere.jpg",
        "nowhere",
    ]


def test_patterns(tree):
    assert expand(["photos/*.jpg"]) == ["photos/b.jpg", "photos/folder.jpg/inside.jpg"]
    assert expand(["photos/**/*.jpeg", "photos/?.PNG"]) == ["photos/sub/c.jpeg", "photos/a.PNG"]
    assert expand(["photos/[ab].*"]) == ["photos/a.PNG", "photos/b.jpg"]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tree):
    (tree / "holiday[1].jpg").touch()
    assert expand(["holiday[1].jpg"]) == ["holiday[1].jpg"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"b.jpg\nno such.jpg\n\n a.PNG \n", ["b.jpg", "no such.jpg", " a.PNG "]),
        (b"b.jpg\r\na.PNG", ["b.jpg", "a.PNG"]),
        (b"\xef\xbb\xbfb.jpg\n", ["b.jpg"]),
        (b"with\nbreak.jpg\0b.jpg\0", ["with\nbreak.jpg", "b.jpg"]),
        (b"caf\xe9.jpg\n\xc3\xa9.jpg\n", ["caf\udce9.jpg", "é.jpg"]),
    ],
)
def test_lists_in_a_file_and_on_standard_input(content, expected, tree, monkeypatch):
    (tree / "list.txt").write_bytes(content)
    assert expand(["@list.txt"]) == expected
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert expand(["-"]) == expected


def test_a_file_whose_name_begins_with_an_at_sign_is_that_file(tree):
    (tree / "@home.jpg").touch()
    assert expand(["@home.jpg"]) == ["@home.jpg"]


def test_names_that_are_no_text_come_back_as_they_are(tmp_path):
    name = os.path.join(os.fsencode(tmp_path), b"\xff\xfe.jpg")
    try:
        open(name, "w").close()
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    (found,) = expand([tmp_path])
    assert os.fsencode(found) == name


@pytest.mark.parametrize(
    "inputs", [["empty"], [], ["nothing*.jpg"], ["@blank.txt"], ["empty", "blank.txt*x"]]
)
def test_nothing_to_score_is_said(inputs, tree):
    (tree / "empty").mkdir()
    (tree / "empty" / "notes.txt").touch()
    (tree / "blank.txt").write_text("\n\n")
    with pytest.raises(UsageError, match="no images in") as caught:
        expand(inputs)
    assert all(repr(item) in str(caught.value) for item in inputs)


def test_an_input_that_gives_nothing_beside_others_stands_for_itself(tree):
    (tree / "empty").mkdir()
    (tree / "list").touch()
    assert expand(["photos/b.jpg", "*.tiff", "empty", "@list"]) == ["photos/b.jpg", "*.tiff", "empty"]


def test_a_list_that_can_t_be_read(tree):
    with pytest.raises(DataError, match=r"'nowhere\.txt' can't be read"):
        expand(["@nowhere.txt"])


def test_a_folder_that_can_t_be_listed_gets_a_row(tree, monkeypatch):
    refused = os.path.join("photos", "sub")
    scandir = os.scandir

    def scan(path):
        if path == refused:
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", scan)  # chmod would not stop root
    found = expand(["photos"])
    assert found[-1] == refused
    with pytest.raises(ImageError, match="sub' can't be opened: Permission denied"):
        load(found[-1])
    assert os.path.join("photos", "b.jpg") in found


def test_suffixes_are_lower_case_and_begin_with_a_dot():
    assert all(suffix == suffix.lower() and suffix[0] == "." for suffix in SUFFIXES)
    assert {".jpg", ".png", ".webp", ".heic"} <= set(SUFFIXES)
    assert is_image_name("IMG.JPG")
    assert not is_image_name(".jpg")


def test_a_closed_or_unreadable_standard_input_is_said(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(DataError, match="standard input is closed"):
        expand(["-"])

    class Broken:
        @property
        def buffer(self):
            raise IsADirectoryError(21, "Is a directory")

    monkeypatch.setattr(sys, "stdin", Broken())
    with pytest.raises(DataError, match="standard input can't be read: Is a directory"):
        expand(["-"])


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_a_list_in_utf_16_is_said(encoding, tree):
    (tree / "list.txt").write_bytes(
        codecs.BOM_UTF16_BE * (encoding == "utf-16-be") + "b.jpg\n".encode(encoding)
    )
    with pytest.raises(DataError, match=r"the list 'list\.txt' is UTF-16 text: save it as UTF-8"):
        expand(["@list.txt"])


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b", "²", "@" + "y" * 300])
def test_a_name_that_can_t_be_is_an_input_like_any_other_or_one_sentence(name, tree):
    (tree / "list.txt").write_bytes(name.encode() + b"\n" if "\0" not in name else b"x")
    assert expand(["@list.txt"])
    if name.startswith("@"):
        with pytest.raises(DataError, match="can't be read: File name too long"):
            expand([name])
    else:
        assert expand([name]) == [name]


def test_what_was_expanded_is_not_expanded_again(tree):
    (tree / "@list").write_text("b.jpg")
    found = expand(["photos/*.jpg", "@list", "nowhere*"])
    with manifest_of(found) as manifest:
        assert list(manifest.items()) == found
    with manifest_of(tree / "photos" / "b.jpg") as manifest:
        assert list(manifest.items()) == [str(tree / "photos" / "b.jpg")]
