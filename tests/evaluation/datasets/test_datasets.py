"""The value that all readers give, and their registry."""

from __future__ import annotations

import io
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.evaluation.datasets.folders import jpeg, put

from fiqa.errors import DataError, UnknownName, UsageError
from fiqa.evaluation.datasets import (
    DATASETS,
    Dataset,
    iter_crops,
    open_dataset,
    read_dataset,
)


def test_dataset_is_validated(tmp_path: Path) -> None:
    images, names = [b"a", b"b"], ("a", "b")
    pairs, is_genuine = np.array([[0, 1]]), np.array([True])
    assert len(Dataset("x", images, names, pairs=pairs, is_genuine=is_genuine)) == 2
    for change, message in (
        ({"names": ("a", "a")}, "unique"),
        ({"subjects": np.array(["s"])}, "subjects"),
        ({"pairs": np.array([[0, 2]])}, "item numbers"),
        ({"pairs": np.array([0, 1])}, r"\(P, 2\)"),
        ({"is_genuine": np.array([True, False])}, "is_genuine"),
        ({"folds": np.array([0, 1])}, "folds"),
        ({"pairs": None}, "needs subjects"),
        ({"groups": np.array(["g"])}, "groups"),
    ):
        arguments = {"name": "x", "images": images, "names": names, "pairs": pairs, "is_genuine": is_genuine}
        with pytest.raises(UsageError, match=message):
            Dataset(**{**arguments, **change})
    with pytest.raises(DataError, match="no image"):
        Dataset("x", [], (), pairs=pairs, is_genuine=is_genuine)
    lost = Dataset("x", [tmp_path / "lost.jpg", b"b"], names, pairs=pairs, is_genuine=is_genuine)
    with pytest.raises(DataError, match=r"lost\.jpg"):
        lost.read(0)


def test_a_dataset_takes_text_paths_and_lists(tmp_path: Path) -> None:
    put(tmp_path / "a.jpg", 1)
    data = Dataset("x", [str(tmp_path / "a.jpg"), b"b"], ["a", "b"], pairs=[(0, 1)], is_genuine=[1])
    assert data.read(0) == jpeg(1)
    assert data.names == ("a", "b")
    assert data.pairs.tolist() == [[0, 1]]
    assert data.is_genuine.dtype == np.bool_
    assert Dataset("x", [b"a", b"b"], ["a", "b"], subjects=[1, 2]).subjects.tolist() == ["1", "2"]
    with pytest.raises(UsageError, match="True/False"):
        Dataset("x", [b"a", b"b"], ["a", "b"], pairs=[(0, 1)], is_genuine=[7])
    with pytest.raises(UsageError, match="pairs must be"):
        Dataset("x", [b"a", b"b"], ["a", "b"], pairs=[(0, 1), (0,)], is_genuine=[1, 0])


def test_a_data_set_from_one_line_of_text(tmp_path: Path) -> None:
    for person in "ab":
        put(tmp_path / "set=1:2" / person / "1.jpg")
    assert open_dataset(f"folder={tmp_path}/set=1:2").name == "set=1:2"
    assert open_dataset(f"folder:my own={tmp_path}/set=1:2").name == "my own"
    for spec, message in (("set", "KIND=PATH"), ("=x", "KIND=PATH"), ("folder=", "KIND=PATH")):
        with pytest.raises(UsageError, match=message):
            open_dataset(spec)
    with pytest.raises(UnknownName, match="Did you mean 'folder'"):
        open_dataset(f"fodler={tmp_path}")


def test_crops_come_as_they_are_or_aligned() -> None:
    def png(size: tuple[int, int]) -> bytes:
        pixels = np.random.default_rng(sum(size)).integers(0, 256, (*size, 3), dtype=np.uint8)
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "PNG")
        return file.getvalue()

    images = [png((112, 112)), png((130, 120))]
    decoded = [np.asarray(Image.open(io.BytesIO(image))) for image in images]
    subjects = np.array(["a", "b"])
    data = Dataset("x", images, ("one", "two"), subjects=subjects)
    crops = list(iter_crops(data, align=lambda image: image[:112, :112]))
    np.testing.assert_array_equal(crops[0], decoded[0])
    np.testing.assert_array_equal(crops[1], decoded[1][:112, :112])
    stream = iter_crops(data)
    next(stream)  # the first is a crop
    with pytest.raises(DataError, match="image two is 120×130: expected 112×112"):
        next(stream)
    with pytest.raises(DataError, match="image two"):
        list(iter_crops(Dataset("x", [images[0], b"no image"], ("one", "two"), subjects=subjects)))

    # landmarks that lie on the template, shifted by (5, 9): alignment undoes the shift
    template = np.array(
        [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
    )
    landmarks = np.stack([template + np.array([5, 9])] * 2).astype(np.float32)
    aligned = list(iter_crops(Dataset("x", images, ("one", "two"), subjects=subjects, landmarks=landmarks)))
    inside = decoded[1][9 : 9 + 112, 5 : 5 + 112].astype(int)
    assert np.abs(aligned[1][2:-2, 2:-2].astype(int) - inside[2:-2, 2:-2]).mean() < 3


def test_registry(lfw: Path, tmp_path: Path) -> None:
    assert all(name == info.name and info.needs and info.source for name, info in DATASETS.items())
    assert {"lfw", "agedb-30", "cfp-fp", "calfw", "cplfw", "xqlfw", "adience", "ijb-c", "synfiqa"} <= set(
        DATASETS
    )
    path = tmp_path / "any.bin"
    path.write_bytes(pickle.dumps(([b"a", b"b"], [True])))
    for name in ("lfw", "agedb-30", "cfp-fp", "calfw", "cplfw", "pairs"):
        assert len(read_dataset(name, path).pairs) == 1
    assert read_dataset("agedb-30", path).name == "agedb-30"
    assert read_dataset("lfw", lfw).name == "lfw"
    with pytest.raises(UnknownName, match="Did you mean 'lfw'"):
        read_dataset("lwf", lfw)
