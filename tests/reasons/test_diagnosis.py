"""What belongs to a degradation comes first, good faces get nothing, the numbers are the formulas'."""

from __future__ import annotations

import io

import numpy as np
import pytest
from benchmarks.reasons import BELONGS, brighter, first_codes, flatter, shaded
from PIL import Image

from fiqa.degradations import degrade
from fiqa.examples import example_crops
from fiqa.reasons import Photo, Policy, diagnose
from fiqa.reasons.components import COMPONENTS, measured
from fiqa.reasons.texture import blur, largest_area, noise
from fiqa.types import TEMPLATE, Face

CROPS = [np.asarray(crop) for crop in example_crops()]
PHOTO = Photo(size=(400, 300))


def face(scale: float = 1.0, shift: tuple[float, float] = (100, 80), **changes: object) -> Face:
    points = TEMPLATE * scale + np.array(shift, np.float32)
    return Face((*points.min(axis=0), *points.max(axis=0)), points, **changes)


def codes(photo: Photo | None, one: Face | None, policy: Policy | None = None) -> list[str]:
    return [reason.code for reason in diagnose(photo, one, CROPS[0], policy).reasons]


@pytest.mark.parametrize("kind", BELONGS)
def test_the_first_reason_belongs_to_the_degradation(kind):
    for severity in (0.85, 1.0):
        assert first_codes(CROPS, kind, severity) == {BELONGS[kind]: len(CROPS)}


def test_the_portraits_have_no_reason_as_they_are():
    assert [diagnose(None, None, crop).reasons for crop in CROPS] == [(), ()]


def test_a_reason_holds_what_was_measured_and_its_limit():
    found = diagnose(None, None, degrade(CROPS[0], "noise", 0.8))
    (reason,) = found.reasons
    assert reason.value == found.measures["noise"].value > reason.limit == Policy().noise
    assert (reason.unit, reason.component) == ("grey levels", None)
    assert reason.advice.startswith("Add light")


def test_blur_with_a_direction_is_motion():
    still, moved = (
        diagnose(None, None, degrade(CROPS[0], kind, 1.0)).reasons[0] for kind in ("blur", "motion")
    )
    assert (still.code, moved.code) == ("sharpness", "sharpness")
    assert still.advice.startswith("Focus")
    assert moved.advice.startswith("Hold")


@pytest.mark.parametrize("crop", CROPS, ids=["lighter", "darker"])
def test_the_same_face_with_less_light_gives_no_reason(crop):
    means = []
    for stops in (-3, -2, -1, 0):
        found = diagnose(None, None, brighter(crop, stops))
        assert not found.reasons
        means.append(found.measures["luminance_mean"].scalar)
    assert means[0] < 10  # the standard's mean would have discarded it
    assert "low_contrast" in [r.code for r in diagnose(None, None, flatter(crop, 0.25)).reasons]


def test_shade_on_one_side_is_uneven_whatever_the_light():
    for crop in CROPS:
        for stops in (0, -1):
            found = diagnose(None, None, shaded(brighter(crop, stops), 4))
            assert "uneven_light" in [reason.code for reason in found.reasons]


def test_components_map_as_the_standard_s_implementation_publishes():
    expected = {
        "InterEyeDistance": {30: 12, 60: 38, 90: 73, 120: 92},
        "HeadPoseRoll": {5: 99, 8: 98, 20: 88, 30: 75, 120: 0},
        "LuminanceMean": {0.1: 12, 0.15: 27, 0.25: 73},
        "UnderExposurePrevention": {0.8: 90, 0.9: 52},
        "OverExposurePrevention": {0.01: 50, 0.1: 9, 0.0: 100},
        "RightwardCropOfTheFaceImage": {1.0: 73},
        "SingleFacePresent": {0.25: 75},
    }
    for component, table in expected.items():
        assert component in COMPONENTS
        assert {raw: measured(component, raw, "").scalar for raw in table} == table


def test_what_the_crop_alone_and_the_photo_say():
    crop_only = diagnose(None, None, CROPS[0]).measures
    whole = diagnose(PHOTO, face(), CROPS[0]).measures
    assert {"eye_distance", "roll", "yaw", "pitch", "edge_distance", "head_size"} <= {*whole} - {*crop_only}
    assert whole["eye_distance"].value == pytest.approx(35.24, abs=0.01)
    assert whole["roll"].value == pytest.approx(0, abs=1e-5)
    assert whole["pitch"].value == pytest.approx(0, abs=1e-6)
    assert abs(whole["yaw"].value) < 0.01
    assert whole["head_size"].value * 300 == pytest.approx(1.77 * 40.69, rel=1e-3)
    assert all(0 <= one.scalar <= 100 for one in whole.values() if one.component)


@pytest.mark.parametrize(
    ("photo", "one", "code"),
    [
        (PHOTO, face(0.6), "resolution"),
        (PHOTO, face(2.3, (20, 0)), "too_close"),
        (PHOTO, face(1.0, (-30, 80)), "cut_off"),
        (PHOTO, face(1.0, (320, 80)), "cut_off"),
        (PHOTO, face(1.0, (100, -45)), "cut_off"),
        (PHOTO, face(1.0, (100, 210)), "cut_off"),
        (Photo(size=(400, 300), roll=31.0), face(), "roll"),
        (Photo(size=(400, 300), jpeg_quality=15), face(), "compression"),
        (Photo(size=(400, 300), faces=(face(), face(0.95, (200, 80)))), face(), "several_faces"),
    ],
)
def test_reasons_of_the_photo(photo, one, code):
    assert codes(photo, one) == [code]
    assert codes(PHOTO, face()) == []


def test_a_nose_to_the_side_is_yaw_in_whichever_direction():
    for side, sign in ((14, 1), (-14, -1)):
        points = face().landmarks.copy()
        points[2, 0] += side
        found = diagnose(PHOTO, Face((100, 80, 200, 180), points), CROPS[0])
        assert [reason.code for reason in found.reasons] == ["yaw"]
        assert np.sign(found.reasons[0].value) == sign


def test_pitch_is_a_number_and_a_reason_only_when_asked():
    points = face().landmarks.copy()
    points[2, 1] -= 12
    low = Face((100, 80, 200, 180), points)
    assert codes(PHOTO, low) == []
    assert codes(PHOTO, low, Policy(pitch=0.2)) == ["pitch"]


def test_a_face_in_a_photo_on_its_side_is_measured_as_it_stands():
    """The same photo turned clockwise by 90°: a point (x, y) of 400×300 lies at (299 − y, x)."""
    upright = face(1.2, (40, 100))
    x, y = upright.landmarks.T
    lying = Face((0, 0, 300, 400), np.stack([299 - y, x], axis=1), rotation=270)
    first, second = diagnose(PHOTO, upright, CROPS[0]), diagnose(Photo(size=(300, 400)), lying, CROPS[0])
    for name, one in first.measures.items():
        assert second.measures[name].value == pytest.approx(one.value, abs=1e-3), name


def test_what_follows_from_another_reason_is_not_said():
    flat = np.zeros((112, 112, 3), np.uint8)
    assert "blank_area" in [r.code for r in diagnose(None, None, flat).reasons]
    cut = diagnose(PHOTO, face(1.0, (-60, 80)), flat).reasons
    assert "cut_off" in [r.code for r in cut]
    assert "blank_area" not in [r.code for r in cut]


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_crop_without_any_structure_has_finite_numbers(value):
    found = diagnose(None, None, np.full((112, 112, 3), value, np.uint8))
    assert all(np.isfinite(one.value) for one in found.measures.values())
    assert found.reasons


def test_the_largest_area_is_that_of_a_flood():
    rng = np.random.default_rng(0)
    for _ in range(60):
        mask = rng.random((int(rng.integers(1, 16)), int(rng.integers(1, 16)))) < rng.random()
        assert largest_area(mask) == _flooded(mask)


def _flooded(mask: np.ndarray) -> int:
    left, best = {tuple(map(int, place)) for place in np.argwhere(mask)}, 0
    while left:
        todo, size = [left.pop()], 0
        while todo:
            y, x = todo.pop()
            size += 1
            for place in ((y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)):
                if place in left:
                    left.remove(place)
                    todo.append(place)
        best = max(best, size)
    return best


def test_noise_is_its_standard_deviation():
    field = np.random.default_rng(0).normal(128, 10, (112, 112)).astype(np.float32)
    assert noise(field) == pytest.approx(10, rel=0.05)


def test_a_face_of_half_the_size_is_not_blurred():
    small = Image.fromarray(CROPS[1]).resize((56, 56), Image.Resampling.BOX)
    enlarged = np.asarray(small.resize((112, 112), Image.Resampling.BILINEAR))
    values = [blur(crop.astype(np.float32).mean(axis=2)) for crop in (CROPS[1], enlarged)]
    assert values == sorted(values)
    assert values[1] < 0.9 * Policy().sharpness
    assert blur(np.zeros((112, 112), np.float32)) == 1


def test_crops_saved_as_jpeg_show_their_grid():
    values = []
    for quality in (100, 20, 5):
        file = io.BytesIO()
        Image.fromarray(CROPS[0]).save(file, "JPEG", quality=quality)
        crop = np.asarray(Image.open(file))
        values.append(diagnose(None, None, crop).measures["block_steps"].value)
    assert values == sorted(values)
