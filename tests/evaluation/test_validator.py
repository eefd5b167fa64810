from __future__ import annotations

import numpy as np
import pytest

from fiqa.errors import DataError, UnknownName, UsageError
from fiqa.evaluation import Draws
from fiqa.evaluation.metrics.statistics import spearman
from fiqa.evaluation.validator import Ladder, Proposal, Validation, candidates, propose, validate
from fiqa.types import ModelCard


def _crops(n: int = 6) -> np.ndarray:
    """Smooth colour fields with edges: something that blur, noise and darkness change."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(40, 220, (n, 7, 7, 3)).astype(np.uint8)
    return np.repeat(np.repeat(coarse, 16, axis=1), 16, axis=2)


def _scores(crops: np.ndarray) -> dict[str, np.ndarray]:
    values = crops.astype(np.float32)
    brightness = values.mean((1, 2, 3))
    return {
        "brightness": brightness,
        "darkness": -brightness,
        "constant": np.zeros(len(crops), np.float32),
        "almost brightness": brightness + 3 * np.sin(brightness),
    }


def test_a_score_is_measured_along_each_ladder():
    found = validate(_scores, _crops(), kinds=("dark", "noise"), steps=5, draws=Draws(50))
    assert [ladder.kind for ladder in found["brightness"].ladders] == ["dark", "noise"]
    dark = found["brightness"].ladders[0]
    assert dark.quality.shape == (6, 5)
    np.testing.assert_allclose(dark.spearman, -1)
    assert dark.monotone == 1.0
    assert (np.diff(dark.quantiles[2]) < 0).all()
    np.testing.assert_allclose(found["darkness"].ladders[0].spearman, 1)
    assert not found["constant"].ladders[0].spearman.any()
    estimate = np.mean([np.mean(one.spearman) for one in found["brightness"].ladders])
    assert found["brightness"].spearman.estimate == pytest.approx(estimate)
    low, high = found["brightness"].spearman.interval()
    assert low <= estimate <= high


def test_the_batch_size_does_not_matter():
    one, other = (
        validate(_scores, _crops(), kinds=("motion",), steps=4, batch_size=size, draws=Draws(5))
        for size in (1, 999)
    )
    for spec in one:
        np.testing.assert_array_equal(one[spec].ladders[0].quality, other[spec].ladders[0].quality)


def test_each_image_is_correlated_by_itself():
    rng = np.random.default_rng(1)
    quality = rng.integers(0, 4, (30, 6)).astype(np.float32)
    severity = np.linspace(0, 1, 6)
    ladder = Ladder("blur", severity, quality)
    for row, found in zip(quality, ladder.spearman, strict=True):
        expected = spearman(row, severity)
        assert found == pytest.approx(0.0 if np.isnan(expected) else expected, abs=1e-12)
    assert ladder.pooled == pytest.approx(spearman(quality.ravel(), np.tile(severity, 30)))
    assert ladder.monotone == np.mean(quality[:, 1:] < quality[:, :-1])


def test_subjects_are_drawn_together():
    crops = np.concatenate([_crops(2)] * 8)
    alone = validate(_scores, crops, kinds=("noise",), steps=6, draws=Draws(300))[
        "almost brightness"
    ].spearman
    together = validate(
        _scores, crops, kinds=("noise",), steps=6, subjects=np.tile([0, 1], 8), draws=Draws(300)
    )
    assert together["almost brightness"].spearman.estimate == alone.estimate
    assert (
        len(np.unique(together["almost brightness"].spearman.samples)) <= 3
    )  # 0, 1 or 2 times the first subject


def test_the_proposal_is_the_cheapest_that_is_as_good():
    found = validate(_scores, _crops(), kinds=("dark",), draws=Draws(100))
    good, bad = found["brightness"], found["darkness"]
    named = {
        spec: Validation(spec, like.ladders, like.spearman)
        for spec, like in (("m:dear", good), ("m:cheap", good), ("m:bad", bad), ("other", bad))
    }
    chosen = propose(named, {"m:dear": 12, "m:cheap": 3, "m:bad": 1, "other": 1})
    assert chosen["m"] == Proposal("m:dear", ("m:dear", "m:cheap"), "m:cheap")
    assert chosen["other"].spec == "other"
    assert propose(named)["m"].spec == "m:dear"
    with pytest.raises(UsageError, match="nothing to choose"):
        propose({})


@pytest.mark.parametrize(("depth", "exits"), [(2, False), (12, True), (24, False)])
def test_candidates_are_specs_of_the_model(depth, exits):
    from fiqa.methods import parse

    card = ModelCard("some", depth=depth, grid=(8, 8), exits=exits)
    found = candidates(card)
    for spec, blocks in found.items():
        method = parse(spec, card)
        assert str(method) == str(parse(str(method), card))
        assert blocks <= depth
        if spec.startswith("vitnt"):
            assert method.blocks == tuple(range(blocks))
    assert ("exit-depth" in found) is exits


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"crops": _crops(1)}, UsageError, "at least 2"),
        ({"kinds": ()}, UsageError, "no degradation"),
        ({"kinds": ("blurr",)}, UnknownName, "'blur'"),
        ({"steps": 1}, UsageError, "2"),
        ({"subjects": [1]}, UsageError, "subjects has 1"),
        ({"measure": lambda x: {"a": np.full(len(x), np.nan)}}, DataError, "NaN"),
    ],
)
def test_bad_input_is_one_clear_error(change, error, message):
    with pytest.raises(error, match=message):
        validate(**{"measure": _scores, "crops": _crops(), "kinds": ("blur",), **change})


def test_a_rival_and_a_plain_function_are_validated():
    from fiqa.evaluation.rivals import Sharpness

    def mean(crops: np.ndarray) -> np.ndarray:
        return crops.mean((1, 2, 3))

    crops = np.random.default_rng(0).integers(0, 256, (2, 112, 112, 3), dtype=np.uint8)
    assert list(validate(Sharpness(), crops, kinds=("blur",), draws=Draws(5))) == ["sharpness"]
    assert list(validate(mean, crops, kinds=("dark",), draws=Draws(5))) == ["mean"]
    with pytest.raises(UsageError, match="must be a Scorer, a rival or a function"):
        validate(5, crops)
