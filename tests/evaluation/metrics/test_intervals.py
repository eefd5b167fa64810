"""Intervals over subjects, against curves of the pairs written out as often as their subject is drawn."""

from __future__ import annotations

import numpy as np
import pytest

from fiqa.errors import DataError, UsageError
from fiqa.evaluation import Comparisons, Draws, Resampled, bootstrap_band, bootstrap_pauc, edc
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


def _compared(data: dict[str, np.ndarray]) -> Comparisons:
    return Comparisons(**{name: values for name, values in data.items() if name != "quality"})


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
    compared = _compared(data)
    n, n_subjects, limit = 40, 9, 0.3
    raw, normalised, best = (
        bootstrap_pauc(
            {"a": data["quality"]}, compared, fmr=0.1, limit=limit, normalised=kind, draws=Draws(n, 4)
        )["a"]
        for kind in (False, True, "best")
    )
    times = np.random.default_rng(4).multinomial(n_subjects, np.full(n_subjects, 1 / n_subjects), n)
    curve = edc(data["quality"], compared.similarity, compared.is_genuine, fmr=0.1)
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
    band = bootstrap_band(data["quality"], compared, fmr=0.1, discard=grid, level=0.8, draws=Draws(n, 4))
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
    found = bootstrap_pauc(qualities, _compared(data), fmr=0.1)
    same = found["a"] - found["a again"]
    assert same.estimate == 0.0
    assert not same.samples.any()
    better = found["a"] - found["random"]
    assert better.estimate < 0
    paired = np.diff(better.interval())[0]
    unpaired = np.sqrt(np.var(found["a"].samples) + np.var(found["random"].samples)) * 3.92
    assert paired < unpaired
    with pytest.raises(UsageError, match="share draws"):
        found["a"] - Resampled(0.0, np.zeros(3))


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
        compared = Comparisons(similarity=score, is_genuine=label, subjects=np.r_[person, np.zeros(500, int)])
        constant = {"constant": np.zeros(len(score))}
        found = bootstrap_pauc(constant, compared, fmr=0.01, limit=1.0, draws=Draws(1000, seed))["constant"]
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
    qualities, compared = {"a": data["quality"]}, _compared(data)
    with pytest.raises(DataError, match="one subject"):
        bootstrap_pauc(qualities, _compared({**data, "subjects": np.full(len(compared), "s0")}))
    with pytest.raises(UsageError, match="draws must be at least 1"):
        bootstrap_pauc(qualities, compared, draws=Draws(0))
    with pytest.raises(UsageError, match="limit"):
        bootstrap_pauc(qualities, compared, limit=0)
    with pytest.raises(UsageError, match="level"):
        Resampled(0.0, np.zeros(3)).interval(95)
    assert np.isnan(Resampled(0.0, np.full(3, np.nan)).interval()).all()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"subjects": ["x"]}, UsageError, "subjects has 1"),
        ({"is_genuine": [1, 0]}, UsageError, "must be the same"),
        ({"is_genuine": [1, 0, 2]}, UsageError, "True/False"),
        ({"similarity": [0.1, np.nan, 0.3]}, DataError, "NaN"),
        ({"similarity": ["a", "b", "c"]}, UsageError, "numbers"),
    ],
)
def test_comparisons_are_checked_when_made(change, error, message):
    good = {"similarity": [0.1, 0.2, 0.3], "is_genuine": [1, 0, 1], "subjects": ["a", "b", "a"]}
    assert Comparisons(**good).is_genuine.tolist() == [True, False, True]
    with pytest.raises(error, match=message):
        Comparisons(**{**good, **change})
