"""What a result holds, within a budget and with a profile."""

from __future__ import annotations

import importlib.util
import pickle

import numpy as np
import pytest
from tests.scorer.cases import SHALLOW

from fiqa import Quality, Scorer
from fiqa.budget import Budget
from fiqa.calibration import Calibration, Profile
from fiqa.errors import DataError, UsageError
from fiqa.examples import example_crops, example_paths
from fiqa.methods import Attn


@pytest.fixture(scope="module")
def default() -> Scorer:
    return Scorer(engine="onnxruntime", threads=1)


def test_the_default_model_gives_what_is_promised(default, faces):
    assert default.specs == ("vitnt", "attn", "exit-depth")
    assert default.scored_by == "exit-depth"
    assert default.engine == "onnxruntime fp32"
    raw = default.score_crops(faces)
    for values in raw.values():
        assert values.shape == (len(faces),)
        assert values.dtype == np.float32
    for i, quality in enumerate(default.qualities(faces)):
        assert quality.ok
        assert 0 <= quality.score <= 100
        assert quality.score == pytest.approx(default.calibration(raw["exit-depth"][i]), abs=1e-3)
        assert quality.used["exit-depth"].startswith("exit-depth:exits=")
        assert quality.patch_map("attn").shape == default.card.grid
        assert quality.patch_map("attn").mean() == pytest.approx(quality.raw["attn"], rel=1e-5, abs=1e-5)
        with pytest.raises(UsageError, match="maps: vitnt, attn"):
            quality.patch_map("exit-depth")
        assert quality.embedding is None


@pytest.mark.skipif(importlib.util.find_spec("mtcnn") is None, reason="detection needs the extra detect")
def test_the_example_photographs_are_scored_from_the_raw_files(default):
    for quality in default.stream(example_paths(), batch_size=2):
        assert quality.ok
        assert quality.face is not None
        assert quality.path in map(str, example_paths())


@pytest.mark.parametrize("budget", ["55%", "400 GFLOPs", "100000 ms", Budget(40, "%")])
def test_a_budget_says_what_was_used_and_gives_just_that(budget, default, faces):
    limited = Scorer(engine="onnxruntime", threads=1, budget=budget)
    depth = default.card.depth
    limit = budget if isinstance(budget, Budget) else Budget.parse(budget)
    costs = np.array(default.card.gflops) / default.card.gflops[-1] * 100
    blocks = int((costs <= limit.amount).sum()) if limit.unit == "%" else depth
    assert 1 < blocks <= depth
    assert limited.used["exit-depth"] == f"exit-depth:exits={blocks}"
    assert limited.used["attn"] == f"attn:reduce=mean,block={blocks - 1}"
    quality = limited.score(faces[0])
    assert quality.used == limited.used
    explicit = Scorer(methods=list(limited.used.values()), engine="onnxruntime", threads=1).score(faces[0])
    for spec, used in limited.used.items():
        assert quality.raw[spec] == pytest.approx(explicit.raw[used], rel=1e-5)


def test_a_profile_turns_the_raw_score_into_a_number(tmp_path, scorer, faces):
    used = scorer.used["attn:block=0"]
    raw = scorer.score_crops(faces)["attn:block=0"]
    low, high = float(raw.min()) - 1, float(raw.max())
    profile = Profile(
        "any", {used: Calibration(spec=used, raw=(low, high), score=(10, 60), meaning="per cent of the way")}
    )
    profile.save(tmp_path / "profile.json")
    for given_as in (profile, tmp_path / "profile.json", str(tmp_path / "profile.json")):
        calibrated = Scorer(methods=SHALLOW, engine="onnxruntime", threads=1, profile=given_as)
        assert calibrated.scored_by == "attn:block=0"
        scores = [quality.score for quality in calibrated.qualities(faces)]
        np.testing.assert_allclose(scores, 10 + 50 * (raw - low) / (high - low), rtol=1e-4)
    with pytest.raises(UsageError, match="calibrates"):
        Scorer(methods=["vitnt:blocks=0,1"], engine="onnxruntime", threads=1, profile=profile)
    with pytest.raises(DataError, match=r"nowhere\.json"):
        Scorer(methods=SHALLOW, engine="onnxruntime", threads=1, profile="nowhere.json")


def test_without_a_calibration_there_is_no_score(scorer, faces):
    assert scorer.scored_by is None
    assert scorer.calibration is None
    assert scorer.score(faces[0]).score is None


def test_a_method_given_twice_is_run_once(faces):
    scorer = Scorer(methods=[*SHALLOW, *SHALLOW], engine="onnxruntime", threads=1)
    assert scorer.specs == SHALLOW


def test_a_single_method_may_be_given_as_text(scorer, faces):
    single = Scorer(methods=SHALLOW[1], engine="onnxruntime", threads=1)
    quality: Quality = single.score(faces[0])
    assert dict(quality.raw) == {SHALLOW[1]: pytest.approx(scorer.score(faces[0]).raw[SHALLOW[1]], rel=1e-5)}


def test_a_scorer_says_what_it_is_and_calibrates_what_it_gave():
    scorer = Scorer(threads=1, engine="onnxruntime", methods=["attn"])
    assert repr(scorer).startswith(f"Scorer({scorer.card.name} on onnxruntime fp32: attn:reduce=mean,block=7")
    quality = scorer.score(example_paths()[0])
    assert quality.scored_by == "attn"
    raw = scorer.score_crops(quality.crop[None])
    assert scorer.calibrate(raw)[0] == pytest.approx(quality.score, abs=0.01)


def test_a_stream_keeps_what_it_is_told_to():
    scorer = Scorer(threads=1, engine="onnxruntime", methods=["attn"])
    crop = example_crops()[0]
    light, whole = (next(scorer.stream([crop], keep=keep)) for keep in ((), ("maps", "crop")))
    assert light == whole
    assert light.crop is None
    assert not light.maps
    assert whole.crop is not None
    assert "attn" in whole.maps
    assert next(scorer.stream([crop], keep=("crop",))).crop is not None


def test_a_method_may_be_given_as_an_object():
    with_text, with_object = (
        Scorer(threads=1, engine="onnxruntime", methods=[method]) for method in ("attn", Attn(block=7))
    )
    crops = example_crops()
    np.testing.assert_array_equal(
        with_text.score_crops(crops)["attn"], with_object.score_crops(crops)["attn:reduce=mean,block=7"]
    )


def test_a_scorer_can_be_pickled_and_opens_its_engine_anew():
    scorer = Scorer(threads=1, engine="onnxruntime", methods=["attn", "sharpness"])
    crops = example_crops()
    want = scorer.score_crops(crops)
    if importlib.util.find_spec("mtcnn") is not None:
        assert scorer.score(example_paths()[0]).ok  # so that the detector has been opened too
    again = pickle.loads(pickle.dumps(scorer))
    assert repr(again) == repr(scorer)
    for spec, values in again.score_crops(crops).items():
        np.testing.assert_array_equal(values, want[spec])
    assert again.score(crops[0]) == scorer.score(crops[0])
