from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fiqa.errors import DataError, UsageError
from fiqa.evaluation import UnreliableFMR, edc, edc_many, pair_quality
from reference import edc_reference as reference

FMRS = {"1e2": 1e-2, "1e3": 1e-3, "1e4": 1e-4}
quiet = pytest.mark.filterwarnings("ignore::fiqa.evaluation.UnreliableFMR")


@quiet
@pytest.mark.parametrize("name", ["edc", "edc_ties"])
@pytest.mark.parametrize("target", ["1e2", "1e3"])
def test_fixed_meets_the_reference_numbers(name, target, golden):
    golden = golden(name)
    quality = pair_quality(golden["quality"], golden["pairs"])
    curve = edc(quality, golden["similarity"], golden["is_genuine"], FMRS[target])
    assert curve.threshold == golden[f"fixed_threshold_{target}"]
    np.testing.assert_allclose(curve.fnmr, golden[f"fixed_errors_{target}"], atol=1e-12, rtol=0)
    np.testing.assert_allclose(curve.discard, golden[f"fixed_discards_{target}"], atol=1e-12, rtol=0)
    for limit in ("0.2", "0.3", "1.0"):
        assert curve.pauc(float(limit)) == pytest.approx(
            float(golden[f"fixed_pauc_{target}_{limit}"]), abs=1e-12
        )
    assert curve.best(0.3) == pytest.approx(float(golden[f"fixed_best_{target}_0.3"]), abs=1e-12)


def _argsort_as_when_stored(quality: np.ndarray) -> bool:
    """Whether this processor's argsort leaves ties in the order that the stored figures were made with."""
    from numpy._core._multiarray_umath import __cpu_features__

    return bool(__cpu_features__.get("AVX512_SKX"))


@quiet
@pytest.mark.parametrize("target", FMRS)
def test_recomputed_meets_the_reference_numbers(target, golden):
    golden = golden("edc")
    quality = pair_quality(golden["quality"], golden["pairs"])
    curve = edc(quality, golden["similarity"], golden["is_genuine"], FMRS[target], protocol="recomputed")
    np.testing.assert_array_equal(curve.discard, golden["recomputed_discard"])
    stored = golden[f"recomputed_fnmr_{target}"]
    assert curve.fnmr[0] == pytest.approx(stored[0], abs=1e-12)
    if not _argsort_as_when_stored(quality):
        pytest.skip("pairs that share an image tie, and this processor's argsort orders ties in another way")
    np.testing.assert_allclose(curve.fnmr, stored, atol=1e-12, rtol=0)
    if target != "1e4":
        assert curve.pauc(0.3) == pytest.approx(float(golden[f"recomputed_pauc30_{target}"]), abs=1e-12)
        assert curve.pauc() == pytest.approx(float(golden[f"recomputed_auc_{target}"]), abs=1e-12)


@st.composite
def comparisons(draw, ties: bool):
    n = draw(st.integers(4, 60))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    if ties:
        quality = rng.integers(0, draw(st.integers(1, 8)), n).astype(float)
        similarity = rng.integers(0, draw(st.integers(2, 12)), n) / 10
    else:
        quality, similarity = rng.permutation(n) / n, rng.permutation(n) / n
    is_genuine = rng.random(n) < draw(st.sampled_from([0.2, 0.5, 0.8]))
    assume(0 < is_genuine.sum() < n)
    return quality, similarity, is_genuine


@pytest.mark.slow
@quiet
@settings(max_examples=150, deadline=None)
@given(
    st.booleans().flatmap(comparisons), st.sampled_from([0.0, 1e-3, 0.05, 0.1, 0.25, 0.5, 0.9]), st.booleans()
)
def test_fixed_is_the_definition(data, fmr, mated):
    curve = edc(*data, fmr=fmr, error="fnmr" if mated else "fmr")
    discard, rate, threshold = reference.fixed(*data, fmr=fmr, mated=mated)
    assert curve.threshold == threshold
    np.testing.assert_allclose(curve.discard, discard, atol=1e-12)
    np.testing.assert_allclose(curve.fnmr if mated else curve.fmr, rate, atol=1e-12)
    for limit in (0.07, 0.3, 1.0):
        area = reference.step_area(discard, rate, limit)
        assert curve.pauc(limit) == pytest.approx(area, abs=1e-8)
        best = reference.best_area(rate[0], limit)
        assert curve.best(limit) == pytest.approx(best, abs=1e-6)
        if rate[0] == 0:
            assert np.isnan(curve.pauc(limit, normalised=True))
            assert np.isnan(curve.pauc(limit, normalised="best"))
        else:
            assert curve.pauc(limit, normalised=True) == pytest.approx(area / (rate[0] * limit), abs=1e-6)
            expected = (area - curve.best(limit)) / (rate[0] * limit - curve.best(limit))
            assert curve.pauc(limit, normalised="best") == pytest.approx(expected, abs=1e-6)


@quiet
@settings(max_examples=150, deadline=None)
@given(comparisons(ties=False), st.booleans(), st.sampled_from([0.0, 1e-3, 0.05, 0.1, 0.25, 0.5, 0.9]))
def test_recomputed_is_the_definition(data, equal_scores, fmr):
    quality, similarity, is_genuine = data
    if equal_scores:
        similarity = np.floor(similarity * 7) / 7
    curve = edc(quality, similarity, is_genuine, fmr, protocol="recomputed")
    expected = reference.recomputed(quality, similarity, is_genuine, fmr)
    np.testing.assert_allclose(curve.fnmr, expected, atol=1e-12)
    assert np.isfinite(curve.threshold).all()


@quiet
@given(comparisons(ties=True))
@settings(max_examples=40, deadline=None)
def test_order_of_the_pairs_does_not_matter(data):
    order = np.random.default_rng(0).permutation(len(data[0]))
    one, other = edc(*data, fmr=0.1), edc(*(x[order] for x in data), fmr=0.1)
    np.testing.assert_array_equal(one.fnmr, other.fnmr)
    np.testing.assert_array_equal(one.discard, other.discard)


def _example(n: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    is_genuine = rng.random(n) < 0.5
    return rng.random(n), rng.normal(is_genuine, 0.5), is_genuine


@quiet
def test_many_targets_are_the_single_ones():
    data = _example()
    for protocol in ("fixed", "recomputed"):
        curves = edc_many(*data, fmrs=(0.1, 0.01, 1e-4), protocol=protocol)
        assert list(curves) == [0.1, 0.01, 1e-4]
        for fmr, curve in curves.items():
            single = edc(*data, fmr=fmr, protocol=protocol)
            np.testing.assert_array_equal(curve.fnmr, single.fnmr)
            np.testing.assert_array_equal(curve.threshold, single.threshold)


def test_a_limit_on_the_grid_is_met_despite_rounding():
    curve = edc(*_example(), fmr=0.1, protocol="recomputed")
    assert curve.discard[6] > 0.3  # 0.30000000000000004
    assert curve.pauc(0.3) == pytest.approx(np.sum((curve.fnmr[:6] + curve.fnmr[1:7]) / 2) * 0.05, abs=1e-12)
    between = curve.pauc(0.32)
    assert curve.pauc(0.3) < between < curve.pauc(0.35)


def test_trapezoid_of_a_step_curve():
    quality, similarity, is_genuine = (
        [1, 2, 3, 4] + [0] * 20,
        [0.1, 0.9, 0.1, 0.9] + [0.5] * 20,
        [1] * 4 + [0] * 20,
    )
    curve = edc(quality, similarity, is_genuine, fmr=0.6)
    np.testing.assert_allclose(curve.fnmr, [1 / 2, 1 / 3, 1 / 2, 0, 0])
    assert curve.pauc(rule="step") == pytest.approx((1 / 2 + 1 / 3 + 1 / 2) / 4)
    assert curve.pauc(rule="trapezoid") == pytest.approx((1 / 4 + 1 / 3 + 1 / 2 + 0) / 4)
    assert curve.at(0.0) == curve.fnmr[0]
    assert curve.at(0.3) == pytest.approx(1 / 3)
    assert curve.at(1.0) == 0.0


def test_a_quality_that_knows_the_errors_is_better_than_one_that_does_not():
    quality, similarity, is_genuine = _example(2000)
    knows = edc(similarity, similarity, is_genuine, fmr=0.05).pauc(0.3, normalised=True)
    random = edc(quality, similarity, is_genuine, fmr=0.05).pauc(0.3, normalised=True)
    inverse = edc(-similarity, similarity, is_genuine, fmr=0.05).pauc(0.3, normalised=True)
    assert knows < 0.9 < random < 1.1 < inverse


def test_constant_quality_is_a_level_line():
    _, similarity, is_genuine = _example()
    curve = edc(np.ones(len(similarity)), similarity, is_genuine, fmr=0.1)
    np.testing.assert_array_equal(curve.discard, [0.0, 1.0])
    assert curve.fnmr[1] == 0.0
    assert curve.pauc(0.3, normalised=True) == pytest.approx(1.0)
    assert curve.pauc(0.3, normalised="best") == pytest.approx(1.0)


def test_minus_infinity_leaves_first():
    quality, similarity, is_genuine = _example()
    quality[:7] = -np.inf
    curve = edc(quality, similarity, is_genuine, fmr=0.1)
    assert curve.discard[1] == pytest.approx(is_genuine[:7].sum() / is_genuine.sum())


def test_few_impostors_warn_and_enough_do_not():
    data = _example(400)
    with pytest.warns(UnreliableFMR, match="false matches") as caught:
        edc(*data, fmr=1e-3)
    assert caught[0].filename == __file__
    with pytest.warns(UnreliableFMR) as caught:
        edc_many(*data, fmrs=(1e-1, 1e-3))
    assert caught[0].filename == __file__
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        edc(*data, fmr=0.1)


GOOD = ([0.1, 0.2, 0.3], [0.5, 0.6, 0.1], [1, 1, 0])


@quiet
@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        (([np.nan, 0.2, 0.3], *GOOD[1:]), {}, DataError, "quality of 1 of 3 pairs is NaN"),
        ((GOOD[0], [np.nan, 0.6, 0.1], GOOD[2]), {}, DataError, "similarity are NaN"),
        ((*GOOD[:2], [1, 1, 1]), {}, DataError, "non-mated"),
        ((*GOOD[:2], [0, 0, 0]), {}, DataError, "is mated"),
        (([], [], []), {}, DataError, "is mated"),
        (([0.1, 0.2], *GOOD[1:]), {}, UsageError, "pair_quality"),
        ((*GOOD[:2], [1, 0]), {}, UsageError, "is_genuine has 2"),
        ((*GOOD[:2], [1, -1, 1]), {}, UsageError, "1/0"),
        ((["a", "b", "c"], *GOOD[1:]), {}, UsageError, "numbers"),
        (GOOD, {"fmr": 1.5}, UsageError, "1.5"),
        (GOOD, {"fmr": -0.1, "protocol": "recomputed"}, UsageError, "-0.1"),
        (GOOD, {"protocol": "other"}, UsageError, "'other'"),
        (GOOD, {"error": "eer"}, UsageError, "'eer'"),
        (GOOD, {"error": "fmr", "protocol": "recomputed"}, UsageError, "'fixed'"),
    ],
)
def test_bad_input_is_one_clear_error(arguments, options, error, message):
    with pytest.raises(error, match=message):
        edc(*arguments, **options)


def test_bad_questions_to_a_curve():
    curve = edc(*_example(), fmr=0.1)
    for call in (lambda: curve.pauc(0.0), lambda: curve.pauc(1.2), lambda: curve.at(2), lambda: curve.fmr):
        with pytest.raises(UsageError):
            call()
    with pytest.raises(UsageError, match="'worst'"):
        curve.pauc(0.3, normalised="worst")
    with pytest.raises(UsageError, match="'simpson'"):
        curve.pauc(0.3, rule="simpson")


def test_pair_quality_is_the_lower_one_and_keeps_nan():
    quality = pair_quality([0.3, 0.1, np.nan], [[0, 1], [1, 0], [0, 0], [0, 2]])
    np.testing.assert_array_equal(quality, [0.1, 0.1, 0.3, np.nan])
    with pytest.raises(UsageError, match="0 to 3"):
        pair_quality([0.3, 0.1], [[0, 3]])
    with pytest.raises(UsageError, match="shape"):
        pair_quality([0.3, 0.1], [0, 1])
