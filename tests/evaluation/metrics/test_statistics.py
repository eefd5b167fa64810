from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiqa.errors import DataError, UsageError
from fiqa.evaluation.metrics import statistics


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
