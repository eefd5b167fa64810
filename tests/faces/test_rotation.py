"""Turned faces: the arithmetic of turning, the choice between finds, the default detector on a composite."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from benchmarks.turned import composite, hits

from fiqa.examples import example_paths
from fiqa.faces import TEMPLATE, DetectorSource, align, default_detector, find_faces
from fiqa.faces.rotation import turn, turn_back
from fiqa.images import load
from fiqa.types import ROTATIONS, Face

needs_mtcnn = pytest.mark.skipif(
    importlib.util.find_spec("mtcnn") is None or importlib.util.find_spec("joblib") is None,
    reason="detection needs the extra detect",
)


class Marked:
    """A detector that takes every pixel of one colour, where the picture stands upright, for a face."""

    def __init__(self, confidences: dict[int, float]) -> None:
        self.confidences = confidences
        self.asked = -1

    def detect(self, image: np.ndarray) -> list[Face]:
        self.asked = (self.asked + 1) % 4
        confidence = self.confidences.get(ROTATIONS[self.asked])
        if confidence is None:
            return []
        (row,), (column,) = np.nonzero(image[..., 0] == 255)
        marks = TEMPLATE - TEMPLATE[2] + (column, row)
        return [Face((column - 40, row - 50, column + 40, row + 50), marks, confidence)]


def marked() -> np.ndarray:
    image = np.zeros((200, 300, 3), np.uint8)
    image[60, 110, 0] = 255
    return image


@pytest.mark.parametrize("rotation", ROTATIONS)
def test_a_face_is_turned_back_to_where_its_pixels_are(rotation: int) -> None:
    image = marked()
    turned = turn(image, rotation)
    (row,), (column,) = np.nonzero(turned[..., 0] == 255)
    box = (column - 10, row - 20, column + 30, row + 40)
    face = turn_back(Face(box, np.tile((column, row), (5, 1))), rotation, image.shape[:2])
    assert face.rotation == rotation
    np.testing.assert_allclose(face.landmarks, np.tile((110, 60), (5, 1)))
    assert face.area == 40 * 60
    left, top, right, bottom = face.box
    sides = {0: (10, 20, 30, 40), 90: (20, 29, 40, 11), 180: (29, 39, 11, 21), 270: (39, 10, 21, 30)}
    assert (110 - left, 60 - top, right - 110, bottom - 60) == sides[rotation]


@pytest.mark.parametrize("rotation", ROTATIONS)
def test_a_turned_photograph_gives_the_upright_crop(rotation: int) -> None:
    photo = np.random.default_rng(0).integers(0, 256, (160, 220, 3), dtype=np.uint8)
    face = Face((30, 20, 130, 130), TEMPLATE * 0.9 + 25)
    lying = turn(photo, (360 - rotation) % 360)
    back = turn_back(face, rotation, lying.shape[:2])
    np.testing.assert_allclose(align(lying, back.landmarks), align(photo, face.landmarks), atol=1)


def test_of_overlapping_finds_the_surest_stays_and_of_equals_the_upright_one() -> None:
    def rotations(**confidences: float) -> list[int]:
        source = DetectorSource(Marked({int(k[1:]): v for k, v in confidences.items()}), rotate="auto")
        return [face.rotation for face in source.faces(marked())]

    assert rotations(r0=0.95, r90=0.99, r270=0.98) == [90]
    assert rotations(r0=0.95, r180=0.95) == [0]
    assert rotations(r180=0.91) == [180]


def test_finds_side_by_side_all_stay() -> None:
    class Two:
        def detect(self, image: np.ndarray) -> list[Face]:
            wide = image.shape[1] > image.shape[0]
            boxes = [(0, 0, 50, 60), (45, 0, 95, 60)] if wide else [(0, 0, 50, 60)]
            return [Face(box, TEMPLATE) for box in boxes]

    found = DetectorSource(Two(), rotate="auto").faces(np.zeros((200, 300, 3), np.uint8))
    assert sorted(face.rotation for face in found) == [0, 0, 90, 180, 180, 270]


def test_a_turned_face_that_fills_the_frame_is_found_with_a_border() -> None:
    class WithRoom:
        def detect(self, image: np.ndarray) -> list[Face]:
            room_on_top = image[:40].max() == 0
            light_above_dark = image[: len(image) // 2].sum() > image[len(image) // 2 :].sum()
            return [Face((60, 60, 140, 160), TEMPLATE + 50)] if room_on_top and light_above_dark else []

    image = np.full((110, 110, 3), 20, np.uint8)
    image[:, 60:] = 255  # light from the right: a quarter turn back rights it
    (face,) = DetectorSource(WithRoom(), rotate="auto").faces(image)
    assert face.rotation == 270
    assert face.box == (220 - 160 - 55, 60 - 55, 220 - 60 - 55, 140 - 55)


@needs_mtcnn
@pytest.mark.parametrize("seed", [0, 1])
def test_thirty_turned_faces_are_found_and_nothing_else(seed: int) -> None:
    picture, truth = composite(seed)
    faces = DetectorSource(default_detector(), rotate="auto").faces(picture)
    found, false = hits(faces, truth)
    assert false == 0
    assert len(found) >= 25
    assert all(faces[i].rotation == truth[j].rotation for i, j in found.items())


@needs_mtcnn
def test_without_rotation_turned_faces_give_no_rows() -> None:
    picture, _ = composite(0)
    assert find_faces(default_detector(), picture) == []
    for path in example_paths():
        for rotation in (90, 180, 270):
            assert find_faces(default_detector(), turn(load(path), rotation)) == []


@needs_mtcnn
@pytest.mark.parametrize("rotation", ROTATIONS)
def test_a_turned_portrait_is_the_same_face(rotation: int) -> None:
    source = DetectorSource(default_detector(), rotate="auto")
    for path in example_paths():
        photo = load(path)
        (upright,) = find_faces(default_detector(), photo)
        lying = turn(photo, (360 - rotation) % 360)
        (face,) = source.faces(lying)
        expected = turn_back(upright, rotation, lying.shape[:2])
        assert face.rotation == rotation
        np.testing.assert_allclose(face.landmarks, expected.landmarks, atol=0.5)
