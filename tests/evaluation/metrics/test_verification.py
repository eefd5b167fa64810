from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiqa.errors import DataError, UsageError
from fiqa.evaluation.metrics import verification


def _faces(n_subjects: int = 12, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings (n, 16) float32 around one centre a subject, and the subjects as names."""
    rng = np.random.default_rng(seed)
    subjects = np.repeat(np.arange(n_subjects), rng.integers(1, 9, n_subjects))
    embeddings = rng.standard_normal((n_subjects, 16))[subjects] + 0.7 * rng.standard_normal(
        (len(subjects), 16)
    )
    order = rng.permutation(len(subjects))
    return embeddings[order].astype(np.float32), np.array([f"person {s}" for s in subjects[order]])


def _all_pairs(embeddings: np.ndarray, subjects: np.ndarray) -> list[tuple[int, int, float, bool]]:
    unit = embeddings.astype(float) / np.linalg.norm(embeddings.astype(float), axis=1, keepdims=True)
    return [
        (i, j, float(unit[i] @ unit[j]), bool(subjects[i] == subjects[j]))
        for i, j in itertools.combinations(range(len(subjects)), 2)
    ]


def test_cosine_similarity_in_blocks():
    embeddings, _ = _faces()
    pairs = np.random.default_rng(1).integers(0, len(embeddings), (50, 2))
    a, b = embeddings[pairs[:, 0]].astype(float), embeddings[pairs[:, 1]].astype(float)
    expected = (a * b).sum(1) / np.sqrt((a**2).sum(1) * (b**2).sum(1))
    for block in (1, 7, 1000):
        found = verification.cosine_similarity(embeddings, pairs, block)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf])
def test_an_embedding_without_direction_is_named(bad):
    embeddings, _ = _faces()
    embeddings[3] = bad
    with pytest.raises(DataError, match="row 3"):
        verification.l2_normalise(embeddings)


def test_mated_pairs_are_all_of_them_once():
    embeddings, subjects = _faces()
    expected = {(i, j) for i, j, _, same in _all_pairs(embeddings, subjects) if same}
    found = verification.mated_pairs(subjects)
    assert len(found) == len(expected)
    assert {tuple(pair) for pair in found.tolist()} == expected


def test_mated_pairs_with_a_cap():
    _, subjects = _faces()
    found = verification.mated_pairs(subjects, per_subject=4, seed=3)
    np.testing.assert_array_equal(found, verification.mated_pairs(subjects, per_subject=4, seed=3))
    names, counts = np.unique(subjects, return_counts=True)
    for name, count in zip(names, counts, strict=True):
        own = found[subjects[found[:, 0]] == name]
        assert len(own) == min(4, count * (count - 1) // 2) == len(np.unique(own, axis=0))
        assert (subjects[own[:, 1]] == name).all()
    with pytest.raises(UsageError, match="per_subject"):
        verification.mated_pairs(subjects, per_subject=0)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.4, 0.6, 1.0])
def test_non_mated_pairs_are_different_and_of_different_people(share):
    embeddings, subjects = _faces()
    possible = sum(not same for *_, same in _all_pairs(embeddings, subjects))
    n = int(possible * share)
    found = verification.non_mated_pairs(subjects, n, seed=5)
    assert found.shape == (n, 2)
    assert len(np.unique(found, axis=0)) == n
    assert (found[:, 0] < found[:, 1]).all()
    assert (subjects[found[:, 0]] != subjects[found[:, 1]]).all()
    np.testing.assert_array_equal(found, verification.non_mated_pairs(subjects, n, seed=5))


def test_more_non_mated_pairs_than_there_are():
    with pytest.raises(UsageError, match="have 2"):
        verification.non_mated_pairs(["a", "a", "b"], 3)
    with pytest.raises(UsageError, match="have 0"):
        verification.non_mated_pairs(["a", "a"], 1)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.integers(0, 12), min_size=1, max_size=40),
    st.one_of(st.floats(0, 0.999), st.integers(0, 39).map(lambda k: k / 40)),
    st.sampled_from([np.float32, np.float64]),
)
def test_threshold_is_the_lowest_that_keeps_the_fmr(values, fmr, dtype):
    impostor = np.array(values, dtype) / 10
    found = verification.threshold_at_fmr(impostor, fmr)
    assert np.mean(impostor >= found) <= fmr
    lower = [t for t in set(impostor.tolist()) if t < found]
    assert all(np.mean(impostor >= dtype(t)) > fmr for t in lower)
    assert found in impostor or (
        found > impostor.max() and np.nextafter(dtype(found), dtype(-1)) == impostor.max()
    )


@pytest.mark.parametrize(
    ("n", "fmr", "accepted"), [(100, 0.29, 29), (1000, 0.001, 1), (3000, 1e-4, 0), (7, 0.5, 3)]
)
def test_the_target_is_not_lost_to_rounding(n, fmr, accepted):
    impostor = np.arange(n, dtype=float)
    assert int((impostor >= verification.threshold_at_fmr(impostor, fmr)).sum()) == accepted


def test_highest_keeps_ties_and_the_next_value():
    values = np.array([5, 1, 4, 4, 3, 3, 2, 0], float)
    assert sorted(verification.highest(values, 2)) == [3, 3, 4, 4, 5]
    assert sorted(verification.highest(values, 8)) == sorted(values)
    parts = np.concatenate([verification.highest(values[:4], 2), verification.highest(values[4:], 2)])
    assert sorted(verification.highest(parts, 2)) == [3, 3, 4, 4, 5]


def _scores(n: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    is_genuine = rng.random(n) < 0.4
    return np.round(rng.normal(is_genuine, 0.6), 1), is_genuine


def test_roc_is_counted_at_every_score():
    similarity, is_genuine = _scores()
    curve = verification.roc(similarity, is_genuine)
    assert len(curve.threshold) == len(set(similarity)) + 1
    for t, fmr, fnmr in zip(curve.threshold, curve.fmr, curve.fnmr, strict=True):
        assert fmr == pytest.approx(np.mean(similarity[~is_genuine] >= t), abs=1e-12)
        assert fnmr == pytest.approx(np.mean(similarity[is_genuine] < t), abs=1e-12)
    assert (curve.fmr[0], curve.fnmr[0], curve.fmr[-1], curve.fnmr[-1]) == (1, 0, 0, 1)


def test_eer():
    assert verification.eer([0.9, 0.8, 0.2, 0.1], [1, 1, 0, 0]) == 0.0
    assert verification.eer([0.1, 0.2, 0.8, 0.9], [1, 1, 0, 0]) == 1.0
    assert verification.eer([0.5, 0.5], [1, 0]) == 0.5
    assert verification.eer([0.9, 0.6, 0.4, 0.8, 0.5, 0.1], [1, 1, 1, 0, 0, 0]) == pytest.approx(1 / 3)
    rng = np.random.default_rng(0)
    n = 200_000  # two unit normals that are 2 apart: the error where they cross is Φ(−1)
    similarity = np.concatenate([rng.normal(2, 1, n), rng.normal(0, 1, n)])
    expected = 0.5 * math.erfc(1 / math.sqrt(2))
    assert verification.eer(similarity, np.arange(2 * n) < n) == pytest.approx(expected, abs=2e-3)


def test_fnmr_at_fmr():
    similarity, is_genuine = _scores()
    point = verification.fnmr_at_fmr(similarity, is_genuine, 0.05)
    assert point.fmr == np.mean(similarity[~is_genuine] >= point.threshold) <= 0.05
    assert point.fnmr == np.mean(similarity[is_genuine] < point.threshold)


def test_lfw_accuracy_is_the_definition():
    similarity, is_genuine = _scores(200)
    found = verification.lfw_accuracy(similarity, is_genuine)
    values = np.unique(similarity)
    cuts = [values[0] - 1, *((values[1:] + values[:-1]) / 2), values[-1] + 1]
    for k in range(10):
        test = np.arange(200) // 20 == k
        right = [np.sum((similarity[~test] >= t) == is_genuine[~test]) for t in cuts]
        best = cuts[int(np.argmax(right))]
        assert found.per_fold[k] == np.mean((similarity[test] >= best) == is_genuine[test])
    assert found.mean == pytest.approx(found.per_fold.mean())
    assert found.std == pytest.approx(found.per_fold.std())
    named = verification.lfw_accuracy(similarity, is_genuine, np.repeat(list("abcdefghij"), 20))
    np.testing.assert_array_equal(named.per_fold, found.per_fold)


def test_lfw_accuracy_of_a_perfect_and_a_useless_score():
    is_genuine = np.tile([1, 0], 50)
    assert verification.lfw_accuracy(is_genuine * 0.5 + 0.1, is_genuine).mean == 1.0
    assert verification.lfw_accuracy(np.zeros(100), is_genuine).mean == 0.5
    with pytest.raises(UsageError, match="2 folds"):
        verification.lfw_accuracy([0.1, 0.2], [0, 1], folds=1)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: verification.threshold_at_fmr([], 1e-3), DataError, "no non-mated"),
        (lambda: verification.threshold_at_fmr([0.1], 1.0), UsageError, r"1\.0"),
        (lambda: verification.threshold_at_fmr([np.nan], 0.1), DataError, "NaN"),
        (lambda: verification.eer([0.1, 0.2], [1, 1]), DataError, "non-mated"),
        (lambda: verification.roc([0.1], [1, 0]), UsageError, "must be the same"),
        (lambda: verification.mated_pairs([]), UsageError, "subjects"),
        (lambda: verification.cosine_similarity(np.ones((2, 3)), [[0, 2]]), UsageError, "2 images"),
        (lambda: verification.cosine_similarity(np.ones(3), [[0, 1]]), UsageError, r"\(n, D\)"),
    ],
)
def test_bad_input_is_one_clear_error(call, error, message):
    with pytest.raises(error, match=message):
        call()
