"""Saved crops: names that are safe whatever the path is, tell images apart, and hold what was scored."""

from __future__ import annotations

import os
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests.pipeline.tables import NAMES

from fiqa.errors import UsageError
from fiqa.pipeline.crops import CropFolder, crop_name
from fiqa.types import Quality

PATHS = st.text(st.characters(exclude_categories=["Cs"]), max_size=400)


@given(PATHS | st.sampled_from(["..", "/etc/passwd", "a/../..", "", "/", "x\0y", "-rf", *NAMES]))
def test_names_are_safe(path):
    name = crop_name(path, 3)
    assert re.fullmatch(r"[0-9a-f]{12}-[A-Za-z0-9_-]+-3\.png", name)
    assert len(name) < 100


def test_images_of_one_name_are_told_apart_and_names_are_stable():
    assert crop_name("a/x.jpg", 0) != crop_name("b/x.jpg", 0)
    assert crop_name("a/x.jpg", 0) != crop_name("a/x.png", 0)
    assert crop_name("a/x.jpg", 0) != crop_name("a/x.jpg", 1)
    assert len({crop_name(name, 0) for name in NAMES}) == len(NAMES)
    assert crop_name("a/x.jpg", 0) == "7ec9164c0f39-x-0.png"
    assert crop_name(None, 0) == "e3b0c44298fc-image-0.png"


def test_the_crop_is_written_whole_and_only_that_of_a_scored_face(tmp_path):
    folder = CropFolder(tmp_path / "deep" / "crops")
    pixels = np.random.default_rng(0).integers(0, 256, (112, 112, 3), dtype=np.uint8)
    folder.save(Quality(status="ok", path="../../up.jpg", crop=pixels))
    folder.save(Quality(status="no_face", reason="none", path="b.jpg"))
    (name,) = os.listdir(folder.folder)
    assert name == crop_name("../../up.jpg", 0)
    np.testing.assert_array_equal(np.asarray(Image.open(folder.folder / name)), pixels)


def test_a_link_in_the_folder_is_replaced_not_followed(tmp_path):
    (victim := tmp_path / "victim").write_text("untouched")
    folder = CropFolder(tmp_path / "crops")
    os.symlink(victim, folder.folder / crop_name("a.jpg", 0))
    folder.save(Quality(status="ok", path="a.jpg", crop=np.zeros((112, 112, 3), np.uint8)))
    assert victim.read_text() == "untouched"
    assert not (folder.folder / crop_name("a.jpg", 0)).is_symlink()


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UsageError, match="is no folder"):
            CropFolder(place)
