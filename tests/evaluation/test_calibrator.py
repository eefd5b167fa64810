from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiqa.calibration import Calibration, Profile
from fiqa.errors import DataError, UsageError
from fiqa.evaluation import Draws, Pairing, edc, pair_quality
from fiqa.evaluation import calibrator as calibrate
from fiqa.evaluation.metrics.verification import mated_pairs, non_mated_pairs

pytestmark = pytest.mark.filterwarnings("ignore::fiqa.evaluation.metrics.protocols.UnreliableFMR")


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(1, 4)), min_size=1, max_size=12))
def test_isotonic_is_the_min_max_formula(points):
    values, weights = np.array(points, float).T
    found = calibrate.isotonic(values, weights)
    n = len(values)
    for i in range(
        n
    ):  # Robertson, Wright and Dykstra 1988: max over starts of the min over ends of the means
        means = [
            [np.average(values[a : b + 1], weights=weights[a : b + 1]) for b in range(i, n)]
            for a in range(i + 1)
        ]
        assert found[i] == pytest.approx(max(min(row) for row in means), abs=1e-9)


def _data(seed: int = 0, n_subjects: int = 300) -> dict[str, np.ndarray]:
    """Mated comparisons that are accepted with probability 1 − (1 − q)², q the lower quality of the pair."""
    rng = np.random.default_rng(seed)
    subjects = np.repeat(np.arange(n_subjects), rng.integers(1, 9, n_subjects))
    quality = rng.random(len(subjects))
    mated, non_mated = mated_pairs(subjects), non_mated_pairs(subjects, 20000, seed)
    pairs = np.concatenate([mated, non_mated])
    is_genuine = np.arange(len(pairs)) < len(mated)
    accepted = rng.random(len(mated)) < 1 - (1 - quality[mated].min(1)) ** 2
    similarity = np.concatenate([np.where(accepted, 0.9, 0.1), rng.uniform(-0.2, 0.2, len(non_mated))])
    return {
        "quality": quality,
        "pairs": pairs,
        "similarity": similarity,
        "is_genuine": is_genuine,
        "subjects": subjects,
    }


def _fitted(spec: str, arrays: dict[str, np.ndarray], **options: object) -> Calibration:
    pairing = Pairing(**{name: arrays[name] for name in ("pairs", "is_genuine", "subjects")})
    return calibrate.fit_acceptance(spec, arrays["quality"], pairing, arrays["similarity"], **options)


def test_the_number_is_the_share_accepted():
    data = _data()
    found = _fitted("attn", data, fmr=1e-3, draws=Draws(200), data="made-up faces")
    assert "FMR 0.001" in found.meaning
    assert "made-up faces" in found.meaning
    q = np.linspace(0.05, 0.95, 19)
    expected = 100 * (1 - (1 - q) ** 2)
    np.testing.assert_allclose(found(q), expected, atol=7)
    inside = (np.interp(q, found.raw, found.low) <= expected) & (
        expected <= np.interp(q, found.raw, found.high)
    )
    assert inside.mean() > 0.7
    assert found.raw[0] == data["quality"].min()
    assert found.raw[-1] == data["quality"].max()
    ordered = found(np.sort(data["quality"]))
    assert (np.diff(ordered.astype(float)) >= 0).all()
    assert len(np.unique(ordered)) > 0.9 * len(ordered)


def test_gates_for_an_fnmr_are_those_of_the_edc():
    data = _data(1)
    found = _fitted("attn", data, fnmrs=(0.9, 0.2, 0.1, 0.0), discards=(), draws=Draws(100))
    quality = pair_quality(data["quality"], data["pairs"])
    curve = edc(quality, data["similarity"], data["is_genuine"], fmr=1e-3)
    levels = np.unique(quality[data["is_genuine"]])
    assert found.thresholds
    for gate in found.thresholds:
        first = levels[np.argmax(curve.fnmr[:-1] <= gate.target)]
        assert gate.raw == first
        assert gate.score == pytest.approx(found(gate.raw))
        assert gate.discarded == np.mean(data["quality"] < gate.raw)
        assert gate.low <= gate.raw <= gate.high
    assert found.threshold("fnmr", 0.9).raw == levels[0]
    gate = found.threshold("fnmr", 0.1)
    assert gate.low < gate.raw < gate.high


def test_gates_for_a_discard_share():
    data = _data(2)
    for found in (
        _fitted("attn", data, draws=Draws(100)),
        calibrate.fit_percentile("attn", data["quality"], data["subjects"], draws=Draws(100)),
    ):
        for target in calibrate.DISCARDS:
            gate = found.threshold("discard", target)
            assert gate.discarded == np.mean(data["quality"] < gate.raw)
            assert target - 1 / len(data["quality"]) < gate.discarded <= target
            assert gate.low < gate.raw < gate.high
    Profile.from_json(Profile("m", {"attn": found}).to_json())


def test_percentile_is_the_share_that_is_worse():
    rng = np.random.default_rng(0)
    quality = rng.normal(0.4, 0.1, 5000)
    quality[:3] = np.nan
    found = calibrate.fit_percentile("exit-depth", quality, draws=Draws(100))
    assert "4997 images" in found.meaning
    known = quality[3:]
    for q in (0.2, 0.4, 0.55):
        assert found(q) == pytest.approx(100 * np.mean(known < q), abs=0.3)
        low, high = np.interp(q, found.raw, found.low), np.interp(q, found.raw, found.high)
        assert low <= found(q) <= high
        assert high - low < 4
    assert (found(known.min()), found(known.max())) == (0, 100)
    assert np.isnan(found(np.nan))


def test_percentile_with_many_equal_scores():
    quality = np.r_[np.zeros(50), np.ones(30), np.arange(2, 22)]
    found = calibrate.fit_percentile("attn", quality, draws=Draws(20))
    assert found(1) == pytest.approx(65, abs=1)  # the middle of the places from 50 to 80
    assert (
        found.threshold("discard", 0.2).discarded == 0.0
    )  # half of the images are equal: none can be refused


def test_an_interval_over_subjects_is_wider_than_over_images():
    rng = np.random.default_rng(0)
    subjects = np.repeat(np.arange(40), 50)
    quality = np.repeat(rng.normal(0, 1, 40), 50) + rng.normal(0, 0.1, 2000)
    by_subject = calibrate.fit_percentile("a", quality, subjects, draws=Draws(200)).threshold("discard", 0.1)
    by_image = calibrate.fit_percentile("a", quality, draws=Draws(200)).threshold("discard", 0.1)
    assert by_subject.high - by_subject.low > 2 * (by_image.high - by_image.low)


def test_the_same_seed_gives_the_same_calibration():
    data = _data(3, 60)
    first, again, other = (_fitted("a", data, draws=Draws(20, seed)) for seed in (1, 1, 2))
    assert first == again
    assert first.score == other.score
    assert first.low != other.low


def test_images_without_a_score_are_left_out():
    data = _data(4, 80)
    marked = {**data, "quality": np.r_[data["quality"], np.nan], "subjects": np.r_[data["subjects"], 0]}
    marked["pairs"] = np.concatenate([data["pairs"], [[0, len(data["quality"])]]])
    marked["similarity"] = np.r_[data["similarity"], 0.9]
    marked["is_genuine"] = np.r_[data["is_genuine"], True]
    one = _fitted("a", data, draws=Draws(20))
    assert _fitted("a", marked, draws=Draws(20)) == one


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda d: {"quality": np.full(len(d["quality"]), 0.5)}, DataError, "does not rise"),
        (lambda d: {"quality": -d["quality"]}, DataError, "does not rise"),
        (lambda d: {"quality": np.full(len(d["quality"]), np.nan)}, DataError, "no mated pair has a quality"),
        (lambda d: {"quality": d["quality"][:-1]}, UsageError, "quality has"),
        (lambda d: {"is_genuine": np.ones(len(d["pairs"]), bool)}, DataError, "non-mated"),
        (lambda d: {"is_genuine": np.zeros(len(d["pairs"]), bool)}, DataError, "mated"),
        (lambda d: {"similarity": np.full(len(d["pairs"]), np.nan)}, DataError, "NaN"),
        (lambda d: {"subjects": np.zeros(len(d["quality"]), int)}, DataError, "one subject"),
    ],
)
def test_bad_input_is_one_clear_error(change, error, message):
    data = _data(5, 60)
    with pytest.raises(error, match=message):
        _fitted("attn", {**data, **change(data)}, draws=Draws(5))


@pytest.mark.parametrize("quality", [[], [np.nan], [0.3, 0.3]])
def test_no_percentile_of_constant_scores(quality):
    with pytest.raises(DataError, match="no two different"):
        calibrate.fit_percentile("attn", quality)
