"""The values that cross seams refuse what they can't mean."""

from __future__ import annotations

import dataclasses
import json
import pickle

import numpy as np
import pytest

from fiqa.errors import DataError, UsageError
from fiqa.types import STATUSES, Face, ModelCard, Quality, check_crops

POINTS = np.arange(10).reshape(5, 2)


def test_a_face_keeps_its_landmarks_as_float32():
    face = Face((10, 20, 30, 60), POINTS, 0.9)
    assert face.landmarks.dtype == np.float32
    assert face.area == 800
    assert face.eye_distance == pytest.approx(8**0.5)
    with pytest.raises(dataclasses.FrozenInstanceError):
        face.confidence = 1.0


def test_a_spec_that_was_not_asked_for_is_answered_with_those_that_were():
    quality = Quality("ok", raw={"vitnt:blocks=0-5": 0.5, "attn": -1.0}, maps={"attn": np.zeros((2, 2))})
    for values in (quality.raw, quality.to_dict()["raw"], dataclasses.replace(quality, score=1.0).raw):
        assert values == {"vitnt:blocks=0-5": 0.5, "attn": -1.0}
    for again in (quality, pickle.loads(pickle.dumps(quality)), Quality.from_dict(quality.to_dict())):
        with pytest.raises(KeyError, match="nothing of 'vitnt' here, but of 'vitnt:blocks=0-5', 'attn'"):
            again.raw["vitnt"]
        assert again.raw.get("vitnt") is None
        assert "vitnt" not in again.raw
    with pytest.raises(KeyError, match="nothing of 'vitnt' here, but of 'attn'"):
        quality.maps["vitnt"]
    with pytest.raises(KeyError, match="nothing of 'attn' here, but of no method"):
        Quality("no_face").used["attn"]


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.int64, np.uint32, np.uint64])
def test_crops_of_other_integers_are_taken_where_they_are_pixels(dtype):
    crops = np.random.default_rng(0).integers(0, 256, (2, 112, 112, 3), dtype=np.uint8)
    taken = check_crops(crops.astype(dtype))
    assert taken.dtype == np.uint8
    np.testing.assert_array_equal(taken, crops)
    with pytest.raises(UsageError, match=f"crops must be uint8 .* but got {np.dtype(dtype)}"):
        check_crops(crops.astype(dtype) + 1)


@pytest.mark.parametrize("points", [np.zeros((4, 2)), np.zeros(10), np.full((5, 2), np.nan)])
def test_a_face_has_five_finite_landmarks(points):
    with pytest.raises(UsageError, match="five finite"):
        Face((0, 0, 1, 1), points)


@pytest.mark.parametrize(
    "box", [(30, 20, 10, 60), (0, 9, 1, 1), (0, 0, 1), (0, 0, np.inf, 1), (np.nan, 0, 1, 1)]
)
def test_a_box_has_four_finite_ordered_sides(box):
    with pytest.raises(UsageError, match=r"box must be finite \(left, top, right, bottom\), but got"):
        Face(box, POINTS)


@pytest.mark.parametrize("confidence", [-0.1, 3, np.nan])
def test_a_confidence_lies_between_0_and_1(confidence):
    with pytest.raises(UsageError, match=r"confidence must be in \[0, 1\], but got"):
        Face((0, 0, 1, 1), POINTS, confidence)


def test_faces_are_equal_if_all_of_them_is():
    face = Face((0, 0, 1, 1), POINTS, 0.5)
    assert face == Face((0, 0, 1, 1), POINTS.copy(), 0.5)
    assert len({face, Face((0, 0, 1, 1), POINTS.copy(), 0.5)}) == 1
    assert face != Face((0, 0, 1, 1), POINTS + 1, 0.5)
    assert face != Face((0, 0, 1, 2), POINTS, 0.5)
    assert face != "a face"


def test_a_quality_survives_its_json_with_and_without_arrays():
    quality = Quality(
        "ok",
        score=87.25,
        scored_by="attn",
        raw={"attn": -0.5},
        path="a.jpg",
        face=Face((0, 0, 1, 1), POINTS, 0.5),
        used={"attn": "attn:reduce=mean,block=7"},
        maps={"attn": np.ones((2, 3), np.float32)},
        embedding=np.arange(3, dtype=np.float32),
        crop=np.zeros((112, 112, 3), np.uint8),
    )
    light = json.loads(json.dumps(quality.to_dict(), allow_nan=False))
    assert not {"maps", "crop", "embedding"} & set(light)
    assert Quality.from_dict(light) == quality
    whole = Quality.from_dict(json.loads(json.dumps(quality.to_dict(arrays=True), allow_nan=False)))
    assert whole == quality
    for got, want in ((whole.patch_map("attn"), quality.patch_map("attn")), (whole.crop, quality.crop)):
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(got, want)
    assert Quality.from_dict(Quality("missing", path="b", reason="gone").to_dict()).reason == "gone"


def test_a_quality_says_what_it_is_in_a_line():
    text = repr(Quality("ok", score=87.25, scored_by="attn", raw={"attn": -0.5}, path="a.jpg"))
    assert text == "Quality(ok, 87.2 by attn, attn=-0.5, path='a.jpg')"
    assert repr(Quality("missing", reason="gone")) == "Quality(missing, reason='gone')"


@pytest.mark.parametrize("status", STATUSES)
def test_a_quality_is_ok_only_if_its_status_is(status):
    assert Quality(status).ok == (status == "ok")


def test_an_unknown_status_is_refused():
    with pytest.raises(UsageError, match=r"status must be one of ok, no_face, .* but got 'fine'"):
        Quality("fine")


@pytest.mark.parametrize("score", [-0.1, 100.1, float("nan"), float("inf")])
def test_a_score_lies_between_0_and_100(score):
    with pytest.raises(UsageError, match=r"score must be in \[0, 100\]"):
        Quality("ok", score=score)


def test_a_quality_gives_the_maps_it_has_and_names_them_otherwise():
    patch_map = np.zeros((2, 2), np.float32)
    assert Quality("ok", score=0.0, maps={"attn": patch_map}).patch_map("attn") is patch_map
    with pytest.raises(UsageError, match="no patch map of 'exit-depth' here; maps: attn"):
        Quality("ok", maps={"attn": patch_map}).patch_map("exit-depth")
    with pytest.raises(UsageError, match="maps: none"):
        Quality("no_face").patch_map("attn")


def test_a_card_survives_its_json():
    card = ModelCard(
        "net",
        depth=2,
        grid=(14, 14),
        width=8,
        heads=2,
        exits=True,
        embedding=4,
        gflops=(0.5, 1.0),
        defaults={"vitnt": "vitnt:blocks=0-1"},
        score="exit-depth",
        licence="Apache-2.0",
        notes="naïve \n text",
    )
    assert ModelCard.from_json(card.to_json()) == card
    assert "\n" not in card.to_json()


def test_a_card_ignores_fields_of_a_later_version():
    text = json.dumps({"name": "net", "depth": 1, "grid": [1, 1], "colour": "blue"})
    assert ModelCard.from_json(text) == ModelCard("net", depth=1, grid=(1, 1))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "3",
        "{}",
        '{"name": "n", "depth": 0, "grid": [1, 1]}',
        '{"depth": 1, "grid": 4}',
    ],
)
def test_what_is_no_card_is_a_data_error(text):
    with pytest.raises(DataError, match="no model card"):
        ModelCard.from_json(text)


@pytest.mark.parametrize("change", [{"depth": 0}, {"grid": (0, 4)}, {"grid": (4,)}, {"gflops": (1.0,)}])
def test_a_card_is_checked(change):
    with pytest.raises(
        UsageError, match=r"depth must be|grid must be|side of grid must be|one value a block"
    ):
        ModelCard(**{"name": "net", "depth": 2, "grid": (2, 2), **change})
