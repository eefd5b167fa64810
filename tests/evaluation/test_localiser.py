"""Localisation of damage by patch maps: known answers."""

from __future__ import annotations

import numpy as np
import pytest

from fiqa.degradations import DEGRADATIONS, degrade_part
from fiqa.errors import UnknownName, UsageError
from fiqa.evaluation.localiser import auroc, localise


@pytest.fixture(scope="module")
def crops() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 112, 112, 3), dtype=np.uint8)


def block_means(crops: np.ndarray, size: int = 8) -> np.ndarray:
    b, side = crops.shape[:2]
    cells = crops.reshape(b, side // size, size, side // size, size, 3)
    return cells.mean((2, 4, 5)).astype(np.float32)


@pytest.mark.parametrize("kind", DEGRADATIONS)
def test_only_the_rectangle_changes(crops: np.ndarray, kind: str) -> None:
    for seed, crop in enumerate(crops):
        out, inside = degrade_part(crop, kind, 0.9, seed)
        assert (out[~inside] == crop[~inside]).all()
        assert (out[inside] != crop[inside]).mean() > 0.5
        assert 0.05 < inside.mean() < 0.55
        again, _ = degrade_part(crop, kind, 0.9, seed)
        assert np.array_equal(out, again)
        rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
        assert inside.sum() == len(rows) * len(columns)


def test_auroc_counts_pairs_of_patches() -> None:
    rng = np.random.default_rng(1)
    values = rng.integers(0, 5, (14, 14)).astype(np.float32)
    inside = np.zeros((112, 112), bool)
    inside[16:60, 0:40] = True
    within = [(r, c) for r in range(2, 7) for c in range(5)]
    touched = {(r, c) for r in range(2, 8) for c in range(5)}
    without = [(r, c) for r in range(14) for c in range(14) if (r, c) not in touched]
    expected = np.mean(
        [
            1.0 if values[i] < values[o] else 0.5 if values[i] == values[o] else 0.0
            for i in within
            for o in without
        ]
    )
    assert auroc(values, inside) == pytest.approx(expected)
    assert auroc(values, np.ones((112, 112), bool)) == 0.5  # nothing to compare with


def test_maps_that_see_and_maps_that_do_not(crops: np.ndarray) -> None:
    def maps(some: np.ndarray) -> dict[str, np.ndarray]:
        light = block_means(some)
        return {"sees": light, "reversed": -light, "fixed": np.ones_like(light)}

    found = localise(maps, crops, kinds=["dark"], batch_size=2)
    assert found["sees"].auroc > 0.95
    assert found["reversed"].auroc < 0.05
    assert found["fixed"].auroc == 0.5
    assert abs(found["sees"].control - 0.5) < 0.1
    assert found["sees"].after["dark"].shape == (5,)


def test_the_batch_size_does_not_matter(crops: np.ndarray) -> None:
    runs = [localise(lambda c: {"m": block_means(c)}, crops, ["blur", "noise"], batch_size=n) for n in (1, 5)]
    for kind in ("blur", "noise"):
        assert np.array_equal(runs[0]["m"].after[kind], runs[1]["m"].after[kind])


def test_bad_input(crops: np.ndarray) -> None:
    with pytest.raises(UsageError, match="at least 1"):
        localise(lambda c: {}, crops[:0])
    with pytest.raises(UnknownName):
        localise(lambda c: {"m": block_means(c)}, crops, ["fog"])
