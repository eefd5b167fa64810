"""The tilt of a face turned by a known angle, from a second look at it."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from PIL import Image

from fiqa.examples import example_paths
from fiqa.faces import DetectorSource
from fiqa.faces.levelling import STEEP, roll_again
from fiqa.images import load
from fiqa.types import TEMPLATE, Face


def turned(points: np.ndarray, degrees: float) -> np.ndarray:
    """Points turned clockwise round the origin, y pointing down."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return points @ np.array([[cos, sin], [-sin, cos]])


@pytest.mark.parametrize("degrees", [-170, -40, -5, 0, 12, 90, 179])
def test_roll_is_the_angle_that_the_landmarks_are_turned_by(degrees):
    face = Face((0, 0, 1, 1), 1.7 * turned(TEMPLATE, degrees) + 30)
    assert face.roll == pytest.approx(degrees, abs=1e-3)


def test_roll_is_what_remains_once_the_image_is_turned():
    """The image has to be turned clockwise by 90°, and the face is tilted clockwise by 7° then."""
    face = Face((0, 0, 1, 1), turned(TEMPLATE, 7 - 90), rotation=90)
    assert face.roll == pytest.approx(7, abs=1e-3)


class Blurred:
    """Finds the template at its place in the middle, 5° too little tilted where the tilt is steep."""

    def __init__(self, tilt: float) -> None:
        self.tilt, self.looks = tilt, 0

    def detect(self, image: np.ndarray) -> list[Face]:
        self.looks += 1
        tilt = self.tilt - 5 if self.looks == 1 else 5
        points = turned(TEMPLATE - TEMPLATE.mean(axis=0), tilt) + np.array(image.shape[1::-1]) / 2
        return [Face((*points.min(axis=0), *points.max(axis=0)), points)]


def test_a_steep_face_is_looked_at_again_and_the_rest_added():
    pixels, source = np.zeros((200, 300, 3), np.uint8), DetectorSource(Blurred(35))
    (face,) = source.faces(pixels)
    assert face.roll == pytest.approx(30, abs=1e-3)
    assert roll_again(source, pixels, face) == pytest.approx(35, abs=1e-3)
    level = Face(face.box, turned(TEMPLATE, STEEP - 1))
    assert roll_again(source, pixels, level) is None


@pytest.mark.skipif(
    importlib.util.find_spec("mtcnn") is None or importlib.util.find_spec("joblib") is None,
    reason="the default detector needs the extra detect",
)
def test_the_default_detector_on_portraits_turned_by_known_angles():
    source = DetectorSource()
    for path in example_paths():
        pixels = load(path)
        upright = source.faces(pixels)[0].roll
        for angle in (-40, 30):
            lying = np.asarray(Image.fromarray(pixels).rotate(-angle, Image.Resampling.BICUBIC))
            face = source.faces(lying)[0]
            assert roll_again(source, lying, face) == pytest.approx(upright + angle, abs=3)
