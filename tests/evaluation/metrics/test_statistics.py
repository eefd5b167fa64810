from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiqa.errors import DataError, UsageError
from fiqa.evaluation import edc
from fiqa.evaluation.metrics import statistics
from reference import edc_reference as reference

pytestmark = pytest.mark.filterwarnings("ignore::fiqa.evaluation.UnreliableFMR")


def _pairs(n_subjects: int = 9, seed: int = 0, ties: bool = False) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    subjects = np.r_[np.repeat(np.arange(n_subjects), rng.integers(1, 12, n_subjects)), np.zeros(60, int)]
    is_genuine = np.arange(len(subjects)) < len(subjects) - 60
    quality = rng.random(len(subjects))
    similarity = rng.normal(is_genuine * 0.6 + quality * 0.5, 0.4)
    if ties:
        quality = np.floor(quality * 4)
    order = rng.permutation(len(subjects))
    return {
        "quality": quality[order],
        "similarity": similarity[order],
        "is_genuine": is_genuine[order],
        "subjects": np.array([f"s{s}" for s in subjects])[order],
    }


def _repeated(
    data: dict[str, np.ndarray], times: np.ndarray, threshold: float
) -> tuple[list[float], list[float]]:
    """The curve of the data in which each mated pair stands as often as its subject was drawn."""
    names = np.unique(data["subjects"][data["is_genuine"]])
    drawn = dict(zip(names, times, strict=True))
    pairs = [
        (q, s < threshold)
        for q, s, g, person in zip(
            *(data[k] for k in ("quality", "similarity", "is_genuine", "subjects")), strict=True
        )
        if g
        for _ in range(drawn[person])
    ]
    discard, rate = [], []
    for level in sorted({q for q, _ in pairs}):
        left = [wrong for q, wrong in pairs if q >= level]
        discard.append(1 - len(left) / len(pairs))
        rate.append(sum(left) / len(left))
    return [*discard, 1.0], [*rate, 0.0]


@pytest.mark.parametrize("ties", [False, True])
def test_each_resample_is_the_curve_of_the_repeated_pairs(ties):
    data = _pairs(ties=ties)
    others = [data["similarity"], data["is_genuine"], data["subjects"]]
    n, n_subjects, limit = 40, 9, 0.3
    raw, normalised, best = (
        statistics.bootstrap_pauc({"a": data["quality"]}, *others, 0.1, limit, kind, n, seed=4)["a"]
        for kind in (False, True, "best")
    )
    times = np.random.default_rng(4).multinomial(n_subjects, np.full(n_subjects, 1 / n_subjects), n)
    curve = edc(data["quality"], *others[:2], fmr=0.1)
    for i in range(n):
        discard, rate = _repeated(data, times[i], curve.threshold)
        area = reference.step_area(discard, rate, limit)
        assert raw.samples[i] == pytest.approx(area, abs=1e-12)
        if rate[0] == 0:
            assert np.isnan(normalised.samples[i])
            assert np.isnan(best.samples[i])
        else:
            least = reference.best_area(rate[0], limit)
            assert normalised.samples[i] == pytest.approx(area / (rate[0] * limit), abs=1e-12)
            assert best.samples[i] == pytest.approx((area - least) / (rate[0] * limit - least), abs=1e-6)
    assert raw.estimate == curve.pauc(limit)
    assert best.estimate == curve.pauc(limit, normalised="best")
    low, high = raw.interval(0.9)
    assert (low, high) == pytest.approx(np.quantile(raw.samples, [0.05, 0.95]))

    grid = [0.0, 0.1, 0.33, 0.9, 1.0]
    band = statistics.bootstrap_band(data["quality"], *others, 0.1, grid, level=0.8, n_resamples=n, seed=4)
    table = np.array([_at(*_repeated(data, times[i], curve.threshold), grid) for i in range(n)])
    np.testing.assert_allclose(band.low, np.quantile(table, 0.1, axis=0), atol=1e-12)
    np.testing.assert_allclose(band.high, np.quantile(table, 0.9, axis=0), atol=1e-12)
    np.testing.assert_allclose(band.error_rate, [curve.at(x) for x in grid])
    assert band.error_rate[-1] == band.high[-1] == 0.0


def _at(discard: list[float], rate: list[float], grid: list[float]) -> list[float]:
    return [
        next(r for d, r in reversed(list(zip(discard, rate, strict=True))) if d <= x + 1e-9) for x in grid
    ]


def test_the_difference_of_two_methods_is_paired():
    data = _pairs(60)
    rng = np.random.default_rng(1)
    qualities = {
        "a": data["quality"],
        "a again": data["quality"] * 3 - 1,
        "random": rng.random(len(data["quality"])),
    }
    found = statistics.bootstrap_pauc(
        qualities, data["similarity"], data["is_genuine"], data["subjects"], 0.1
    )
    same = found["a"] - found["a again"]
    assert same.estimate == 0.0
    assert not same.samples.any()
    better = found["a"] - found["random"]
    assert better.estimate < 0
    paired = np.diff(better.interval())[0]
    unpaired = np.sqrt(np.var(found["a"].samples) + np.var(found["random"].samples)) * 3.92
    assert paired < unpaired
    with pytest.raises(UsageError, match="share draws"):
        found["a"] - statistics.Resampled(0.0, np.zeros(3))


def test_the_interval_covers_the_truth():
    """Of many samples from one population about 95 % have the population's figure in their interval."""
    inside = 0
    rng = np.random.default_rng(0)
    impostor = rng.normal(0, 0.3, 500)
    for seed in range(60):
        draw = np.random.default_rng(seed + 1)
        n_subjects, n_each = 80, 8
        person = np.repeat(np.arange(n_subjects), n_each)
        hard = np.repeat(
            draw.normal(0, 0.3, n_subjects), n_each
        )  # what makes the pairs of a subject dependent
        score = np.r_[0.9 + hard + draw.normal(0, 0.2, len(person)), impostor]
        label = np.arange(len(score)) < len(person)
        found = statistics.bootstrap_pauc(
            {"constant": np.zeros(len(score))},
            score,
            label,
            np.r_[person, np.zeros(500, int)],
            0.01,
            1.0,
            seed=seed,
        )["constant"]
        threshold = edc(np.zeros(len(score)), score, label, fmr=0.01).threshold
        truth = _normal_below((threshold - 0.9) / np.hypot(0.3, 0.2))
        low, high = found.interval()
        inside += low <= truth <= high
    assert 51 <= inside <= 60


def _normal_below(z: float) -> float:
    from math import erfc, sqrt

    return 0.5 * erfc(-z / sqrt(2))


def test_bootstrap_refuses_what_has_no_interval():
    data = _pairs()
    rest = (data["similarity"], data["is_genuine"])
    one = np.full(len(data["subjects"]), "s0")
    with pytest.raises(DataError, match="one subject"):
        statistics.bootstrap_pauc({"a": data["quality"]}, *rest, one)
    with pytest.raises(UsageError, match="n_resamples"):
        statistics.bootstrap_pauc({"a": data["quality"]}, *rest, data["subjects"], n_resamples=0)
    with pytest.raises(UsageError, match="limit"):
        statistics.bootstrap_pauc({"a": data["quality"]}, *rest, data["subjects"], limit=0)
    with pytest.raises(UsageError, match="subjects has 1"):
        statistics.bootstrap_band(data["quality"], *rest, ["x"])
    with pytest.raises(UsageError, match="level"):
        statistics.Resampled(0.0, np.zeros(3)).interval(95)
    assert np.isnan(statistics.Resampled(0.0, np.full(3, np.nan)).interval()).all()


def _slow_spearman(a: list[int], b: list[int]) -> float:
    def ranks(values):
        return [sum(v < x for v in values) + (sum(v == x for v in values) + 1) / 2 for x in values]

    return float(np.corrcoef(ranks(a), ranks(b))[0, 1])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=2, max_size=30))
def test_spearman_is_the_correlation_of_mean_ranks(pairs):
    a, b = zip(*pairs, strict=True)
    if len(set(a)) == 1 or len(set(b)) == 1:
        assert np.isnan(statistics.spearman(a, b))
    else:
        assert statistics.spearman(a, b) == pytest.approx(_slow_spearman(list(a), list(b)), abs=1e-9)


def test_spearman_of_a_monotone_pair_and_of_bad_input():
    x = np.random.default_rng(0).random(50)
    assert statistics.spearman(x, np.exp(x)) == pytest.approx(1.0)
    assert statistics.spearman(x, -(x**3)) == pytest.approx(-1.0)
    with pytest.raises(DataError, match="NaN"):
        statistics.spearman([1, np.nan], [1, 2])
    with pytest.raises(DataError, match="at least 2"):
        statistics.spearman([1], [1])
    with pytest.raises(UsageError, match="must be the same"):
        statistics.spearman([1, 2], [1])


def test_monotone_share():
    quality, severity = [9, 8, 8, 7, 5, 5, 6, 6], [0, 0, 1, 1, 2, 2, 3, 3]
    assert statistics.monotone_share(quality, severity) == pytest.approx(2 / 3)
    subjects = list("abababab")  # a: 9 8 5 6, b: 8 7 5 6
    assert statistics.monotone_share(quality, severity, subjects) == pytest.approx(4 / 6)
    assert statistics.monotone_share([3, 2, 5, 1], [0, 1, 0, 2], list("aabb")) == 1.0
    assert statistics.monotone_share([1, 1], [0, 1]) == 0.0
    with pytest.raises(DataError, match="step"):
        statistics.monotone_share([1, 2], [0, 1], ["a", "b"])
    with pytest.raises(DataError, match="step"):
        statistics.monotone_share([], [])


def test_similarity_to_the_centre_of_the_other_images():
    rng = np.random.default_rng(0)
    embeddings = rng.standard_normal((7, 5))
    subjects = np.array(list("abacaba"))
    found = statistics.similarity_to_centre(embeddings, subjects)
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    for i in range(7):
        rest = [j for j in range(7) if j != i and subjects[j] == subjects[i]]
        if rest:
            centre = unit[rest].mean(0)
            assert found[i] == pytest.approx(unit[i] @ centre / np.linalg.norm(centre))
        else:
            assert np.isnan(found[i])


def test_quality_by_group():
    quality, groups = [1.0, 2.0, 3.0, np.nan, np.nan], ["x", "x", "y", "y", "z"]
    found = statistics.by_group(quality, groups, threshold=2.0)
    assert list(found) == ["x", "y", "z"]
    assert (found["x"].n, found["x"].mean, found["x"].std, found["x"].below) == (2, 1.5, 0.5, 0.5)
    assert (found["y"].n, found["y"].n_missing, found["y"].below) == (1, 1, 0.0)
    assert (found["z"].n, found["z"].n_missing) == (0, 1)
    assert np.isnan(found["z"].mean)
    np.testing.assert_allclose(found["x"].quantiles, np.quantile([1.0, 2.0], [0.05, 0.25, 0.5, 0.75, 0.95]))
    assert np.isnan(statistics.by_group(quality, groups)["x"].below)
    with pytest.raises(UsageError, match="groups has 1"):
        statistics.by_group(quality, ["x"])
