"""What is asked for becomes a plan: methods that share a pass, measures beside them, and what calibrates."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

import numpy as np
import pytest

from fiqa import Face, Scorer
from fiqa import plan as plans
from fiqa.errors import UnknownName, UsageError
from fiqa.examples import example_crops, example_paths
from fiqa.measures import CROP_MEASURES, sharpness
from fiqa.methods import METHODS, Method
from fiqa.types import ModelCard

CARD = ModelCard("net", depth=4, grid=(2, 2), exits=True)
FAST = {"engine": "onnxruntime", "threads": 1}


def test_methods_share_what_they_read_and_keep_their_specs():
    plan = plans.make(["attn", "vitnt:blocks=0-2", "attn", "sharpness"], CARD, embedding=False)
    assert plan.used == {
        "attn": "attn:reduce=mean,block=3",
        "vitnt:blocks=0-2": "vitnt:blocks=0-2,alpha=8,weighting=last,norm=final",
        "sharpness": "sharpness",
    }
    assert len(set(plan.wanted)) == len(plan.wanted)
    assert plan.limited(CARD, 2).used["attn"] == "attn:reduce=mean,block=1"
    assert plan.limited(CARD, 2).measures == plan.measures


@pytest.mark.parametrize(
    ("methods", "error", "message"),
    [
        ([], UsageError, "at least one method, but got none"),
        (["sharpnes"], UnknownName, "Did you mean 'sharpness'"),
        (["sharpness:radius=2"], UsageError, "sharpness has no options"),
        (["magface:model=a.pth"], UnknownName, "no method 'magface'"),
    ],
)
def test_what_can_t_be_asked_for_is_said(methods, error, message):
    with pytest.raises(error, match=message):
        plans.check(methods)


@dataclass(frozen=True, kw_only=True)
class _Sharpness(Method):
    name = "sharpness"


def test_a_method_is_not_called_like_a_measure():
    """It would never be run: the measure comes first."""
    rule = "the method 'sharpness' of .*_Sharpness must have a name of its own, but 'sharpness' is one of"
    with pytest.raises(UsageError, match=rule):
        METHODS.register(_Sharpness)
    with pytest.raises(UsageError, match=rule):
        plans.check([_Sharpness()])
    assert "sharpness" not in METHODS


def test_pixels_of_other_integers_are_scored_like_bytes():
    scorer = Scorer(methods=["sharpness", "attn"], **FAST)
    crops = example_crops()
    want, wide = scorer.score_crops(crops), crops.astype(np.int64)
    for spec, values in scorer.score_crops(wide).items():
        np.testing.assert_array_equal(values, want[spec])
    good = scorer.score(crops[0])
    for found in (scorer.score(wide[0]), scorer.qualities(wide[:1])[0]):
        assert found.raw == pytest.approx(dict(good.raw))
        assert found.crop.dtype == np.uint8
    with pytest.raises(KeyError, match="nothing of 'vitnt' here, but of 'attn', 'sharpness'"):
        want["vitnt"]


def test_an_array_that_holds_no_picture_is_a_row_of_a_stream():
    scorer = Scorer(methods=["attn"], **FAST)
    crop = example_crops()[0]
    found = list(scorer.stream([crop, crop + np.int64(200), crop[..., :2], crop > 9, crop.astype(np.int64)]))
    assert [one.status for one in found] == ["ok", "unreadable", "unreadable", "unreadable", "ok"]
    assert found[1].reason == "the int64 array has values outside 0 to 255: bring it into this range"
    assert "but got (112, 112, 2)" in found[2].reason
    assert "but got bool" in found[3].reason


def test_measures_stand_beside_the_methods():
    scorer = Scorer(methods=["sharpness", "attn"], **FAST)
    crops = example_crops()
    raw = scorer.score_crops(crops)
    np.testing.assert_array_equal(raw["sharpness"], sharpness(crops))
    quality = scorer.score(crops[0])
    assert quality.raw["sharpness"] == pytest.approx(raw["sharpness"][0])
    assert quality.scored_by == "attn"


def test_measures_of_a_face_need_its_photo():
    scorer = Scorer(methods=["face-size", "detector-score"], **FAST)
    with pytest.raises(UsageError, match="face-size is measured on the face in its photo: score photos"):
        scorer.score_crops(example_crops())
    of_crop = scorer.score(example_crops()[0])
    assert of_crop.ok
    assert of_crop.raw == {}
    face = Face((0, 0, 1, 1), [[0, 0], [30, 40], [0, 1], [0, 2], [1, 2]], 0.75)
    found = scorer.qualities(example_crops(), [face, None])
    assert found[0].raw == {"face-size": 50.0, "detector-score": 0.75}
    assert found[1].raw == {}


@pytest.mark.skipif(importlib.util.find_spec("mtcnn") is None, reason="needs the extra detect")
def test_measures_of_a_photo():
    quality = Scorer(methods=list(CROP_MEASURES), **FAST).score(example_paths()[0])
    assert set(quality.raw) == set(CROP_MEASURES)
    assert quality.raw["face-size"] == pytest.approx(quality.face.eye_distance)
    assert quality.score is None
