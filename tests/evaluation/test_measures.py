"""Whatever rates faces is taken as a measure: a scorer, a rival, a function, numbers, a mapping, a CSV."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fiqa import Scorer
from fiqa.errors import DataError, UsageError
from fiqa.evaluation import Dataset, ListedScores, Measure, as_measure, measure
from fiqa.evaluation.rivals import Sharpness


@pytest.fixture(scope="module")
def faces() -> Dataset:
    rng = np.random.default_rng(0)
    encoded = []
    for _ in range(6):
        file = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, (112, 112, 3), dtype=np.uint8)).save(file, "PNG")
        encoded.append(file.getvalue())
    names = [f"{place}.png" for place in range(6)]
    return Dataset("faces", encoded, names, subjects=["a", "a", "b", "b", "c", "c"])


def mean_colour(crops: np.ndarray) -> np.ndarray:
    return crops.mean((1, 2, 3))


def test_numbers_a_mapping_and_a_csv_say_the_same(faces: Dataset, tmp_path: Path) -> None:
    values = np.arange(6) / 2
    table = {f"{place}.png": value for place, value in enumerate(values.tolist())}
    (tmp_path / "theirs.csv").write_text("path,score\n" + "".join(f"{k},{v}\n" for k, v in table.items()))
    given = {
        "array": as_measure(values, "array"),
        "list": as_measure(values.tolist(), "list"),
        "mapping": as_measure(table, "mapping"),
        "listed": as_measure(ListedScores("listed", "x.csv", table)),
        "theirs": as_measure(tmp_path / "theirs.csv"),
        "text": as_measure(f"{tmp_path / 'theirs.csv'}:score", "text"),
    }
    found = measure(faces, (), list(given.values()))
    assert list(found.quality) == list(given)
    for quality in found.quality.values():
        np.testing.assert_array_equal(quality, values)


def test_a_function_and_a_rival_see_the_crops(faces: Dataset) -> None:
    found = measure(faces, (), [mean_colour, Sharpness(), as_measure(Sharpness(), "again")])
    assert list(found.quality) == ["mean_colour", "sharpness", "again"]
    np.testing.assert_array_equal(found.quality["sharpness"], found.quality["again"])
    assert np.ptp(found.quality["mean_colour"]) > 0


def test_a_scorer_gives_all_its_methods(faces: Dataset) -> None:
    scorer = Scorer(methods=["attn", "exit:2"], engine="onnxruntime", align="none", threads=1)
    taken = as_measure(scorer)
    assert taken.names == scorer.specs
    assert taken.specs == tuple(scorer.used.values())
    assert list(measure(faces, (), scorer).quality) == ["attn", "exit:2"]


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (5, UsageError, "must be a Scorer"),
        (None, UsageError, "must be a Scorer"),
        ([1.0, 2.0], UsageError, "2 numbers for 6 images"),
        (["none.csv"], DataError, "can't be read"),
        ({"0.png": 1.0}, DataError, "no score for image '1.png'"),
        (lambda crops: np.zeros(3), DataError, "gave \\(3,\\) for 6 crops"),
    ],
)
def test_what_is_no_measure(faces: Dataset, given: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        measure(faces, (), given)


def test_a_measure_is_checked_when_made() -> None:
    with pytest.raises(UsageError, match="either of_crops or of_names"):
        Measure(names=("a",), details=("",))
    with pytest.raises(UsageError, match="a detail and an identity per name"):
        Measure(names=("a", "b"), details=("",), of_crops=mean_colour)
