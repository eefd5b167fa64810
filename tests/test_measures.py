"""Measures without a network: one crop as in a batch, and no number where the face is not known."""

from __future__ import annotations

import numpy as np
import pytest

from fiqa.errors import UsageError
from fiqa.measures import CROP_MEASURES, detector_score, eye_distance, sharpness
from fiqa.types import Face

CROPS = np.random.default_rng(0).integers(0, 256, (3, 112, 112, 3), dtype=np.uint8)
FACE = Face((0, 0, 9, 9), np.array([[1, 1], [4, 5], [3, 3], [2, 6], [4, 6]], np.float32), 0.75)


def test_sharpness_is_the_literal_variance_of_the_laplacian():
    luma = CROPS.astype(np.float64) @ [0.299, 0.587, 0.114]
    for one, found in zip(luma, sharpness(CROPS), strict=True):
        laplacian = [
            one[y - 1, x] + one[y + 1, x] + one[y, x - 1] + one[y, x + 1] - 4 * one[y, x]
            for y in range(1, 111)
            for x in range(1, 111)
        ]
        assert found == pytest.approx(np.var(laplacian), rel=1e-5)
    assert sharpness(np.full((1, 112, 112, 3), 7, np.uint8)).tolist() == [0]


def test_the_face_alone_gives_its_size_and_the_detectors_confidence():
    assert eye_distance(FACE) == 5
    assert detector_score(FACE) == 0.75


@pytest.mark.parametrize("name", CROP_MEASURES)
def test_every_measure_of_a_crop_and_its_face(name):
    measure = CROP_MEASURES[name]
    expected = {"sharpness": float(sharpness(CROPS[:1])[0]), "face-size": 5.0, "detector-score": 0.75}
    assert measure.name == name
    assert measure.score(CROPS[0], FACE) == expected[name]
    assert measure.score(CROPS[0], None) == (None if measure.needs_face else expected[name])


def test_a_crop_of_another_shape_is_refused():
    with pytest.raises(UsageError, match="112, 112"):
        sharpness(CROPS[:, :50])
