"""Embeddings from a file: looked up by name; what else such a file may hold is refused in one sentence."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fiqa.errors import DataError
from fiqa.evaluation.recognizers import PrecomputedEmbeddings, open_recognizer


def test_precomputed(tmp_path: Path) -> None:
    path = tmp_path / "teacher.npz"
    embeddings = np.arange(6, dtype=np.float64).reshape(3, 2)
    np.savez(path, names=np.array(["a/1.jpg", "a/2.jpg", "b.b/1"]), embeddings=embeddings)
    table = open_recognizer(str(path))
    assert isinstance(table, PrecomputedEmbeddings)
    assert table.name == "teacher"
    assert table.lookup(["b.b/1.png", "a/1.jpg", "a/2"]).tolist() == [[4, 5], [0, 1], [2, 3]]
    with pytest.raises(DataError, match=r"lacks 1 of the 2 images: a/3\.jpg"):
        table.lookup(["a/1.jpg", "a/3.jpg"])
    for arrays, message in (
        ({"names": np.array(["a"])}, "embeddings"),
        ({"names": np.array(["a"]), "embeddings": embeddings}, "expected"),
        ({"names": np.array([1]), "embeddings": embeddings[:1]}, "expected"),
        ({"names": np.array(["a"]), "embeddings": np.full((1, 2), np.nan)}, "not finite"),
        ({"names": np.array(["a"], dtype=object), "embeddings": embeddings[:1]}, "can't be used"),
    ):
        np.savez(path, **arrays)
        with pytest.raises(DataError, match=message):
            PrecomputedEmbeddings(path)
    path.write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(DataError, match="no whole zip"):
        PrecomputedEmbeddings(path)
    with pytest.raises(DataError, match="can't be used"):
        PrecomputedEmbeddings(tmp_path / "none.npz")


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


NAMES, NUMBERS = npy(np.array(["a", "b"])), npy(np.ones((2, 3), np.float32))


def header(shape: str, descr: str = "<f4", version: bytes = b"\x01\x00") -> bytes:
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY" + version + len(text).to_bytes(2, "little") + text.encode() + b"\0" * 24


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([("names.npy", NAMES), ("names.npy", NAMES), ("embeddings.npy", NUMBERS)], "2 names"),
        ([("names.npy", NAMES)], "no embeddings"),
        (
            [("names.npy", npy(np.array(["a", "a"]))), ("embeddings.npy", NUMBERS)],
            "'a' twice, in rows 0 and 1",
        ),
        (
            [("names.npy", npy(np.array([b"a", b"\xff"]))), ("embeddings.npy", NUMBERS)],
            "not UTF-8 text, in row 1",
        ),
        ([("names.npy", NAMES), ("embeddings.npy", npy(np.ones((2, 3), complex)))], "complex128: expected"),
        ([("names.npy", NAMES), ("embeddings.npy", npy(np.ones((2, 0))))], "neither empty"),
        (
            [("names.npy", NAMES), ("embeddings.npy", npy(np.full((2, 3), 1e300)))],
            "not finite, the first in row 0",
        ),
        ([("names.npy", NAMES), ("embeddings.npy", npy(np.ones((2, 3), bool)))], "of bool"),
        ([("names.npy", NAMES), ("embeddings.npy", header("(1099511627776, 3)"))], "do not hold"),
        ([("names.npy", NAMES), ("embeddings.npy", header("(4294967296, 4294967296)"))], "do not hold"),
        ([("names.npy", NAMES), ("embeddings.npy", header("(-1, 3)"))], "is none|can't be used"),
        ([("names.npy", NAMES), ("embeddings.npy", header("(2, 3)", "|O"))], "do not hold"),
        ([("names.npy", NAMES), ("embeddings.npy", header("(2, 3)", version=b"\x09\x00"))], "version"),
        ([("names.npy", NAMES), ("embeddings.npy", b"text")], "can't be used"),
        ([("names.npy", NAMES), ("embeddings.npy", b"\0" * 70_000_000)], "unpacks from"),
    ],
)
def test_oddities_of_the_zip_are_one_sentence(
    tmp_path: Path, members: list[tuple[str, bytes]], message: str
) -> None:
    with zipfile.ZipFile(tmp_path / "odd.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            if name in archive.namelist():
                with pytest.warns(UserWarning, match="Duplicate"):
                    archive.writestr(name, content)
            else:
                archive.writestr(name, content)
    with pytest.raises(DataError, match=message) as error:
        PrecomputedEmbeddings(tmp_path / "odd.npz")
    assert "odd.npz" in str(error.value)
    assert len(str(error.value)) < 400
    assert "\n" not in str(error.value)


def test_a_zip_with_a_changed_byte_reads_or_says_so(tmp_path: Path) -> None:
    path = tmp_path / "cut.npz"
    numbers = np.random.default_rng(0).integers(0, 9, (2, 40))
    np.savez_compressed(path, names=np.array(["a", "b"]), embeddings=numbers)
    raw, refused = path.read_bytes(), 0
    for offset in range(len(raw)):
        path.write_bytes(raw[:offset] + bytes([raw[offset] ^ 0xFF]) + raw[offset + 1 :])
        try:
            PrecomputedEmbeddings(path)  # any other exception fails the test
        except DataError:
            refused += 1
    assert refused > len(raw) / 2


def test_names_that_differ_in_the_suffix_alone() -> None:
    table = PrecomputedEmbeddings.from_arrays(["a.jpg", "a.png"], np.eye(2))
    assert table.lookup(["a.png"]).tolist() == [[0, 1]]
    with pytest.raises(DataError, match=r"2 rows for 'a\.webp'"):
        table.lookup(["a.webp"])
