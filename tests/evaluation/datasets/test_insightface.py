"""InsightFace's .bin files from every Python and NumPy, whole, damaged, and made to do harm."""

from __future__ import annotations

import contextlib
import io
import pickle
import struct
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fiqa.errors import DataError
from fiqa.evaluation.datasets import Dataset, read_bin


def jpeg(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()


# what Python 2 writes for (['\xff\xd8a', '\xff\xd8b', '\xff\xd8a', '\xff\xd8c'], [True, False])
PYTHON2_BINS = {
    0: b"((lp0\nS'\\xff\\xd8a'\np1\naS'\\xff\\xd8b'\np2\nag1\naS'\\xff\\xd8c'\np3\na(lp4\nI01\naI00\natp5\n.",
    2: b"\x80\x02]q\x00(U\x03\xff\xd8aq\x01U\x03\xff\xd8bq\x02h\x01U\x03\xff\xd8cq\x03e"
    b"]q\x04(\x88\x89e\x86q\x05.",
}


@pytest.mark.parametrize("protocol", PYTHON2_BINS)
def test_bin_written_by_python_2(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "lfw.bin"
    path.write_bytes(PYTHON2_BINS[protocol])
    data = read_bin(path)
    assert data.name == "lfw"
    assert list(data.images) == [b"\xff\xd8a", b"\xff\xd8b", b"\xff\xd8c"]
    assert data.pairs.tolist() == [[0, 1], [0, 2]]
    assert data.is_genuine.tolist() == [True, False]
    assert data.subjects[0] == data.subjects[1] != data.subjects[2]


def python2_numpy_bin(images: list[bytes], flags: list[bool]) -> bytes:
    """What Python 2 writes for (list of uint8 arrays, list of numpy.bool_), protocol 2, opcode by opcode."""

    def text(value: bytes) -> bytes:
        return (
            b"U" + bytes([len(value)]) + value
            if len(value) < 256
            else b"T" + len(value).to_bytes(4, "little") + value
        )

    def dtype(code: bytes) -> bytes:
        return (
            b"cnumpy\ndtype\n"
            + text(code)
            + b"K\x00K\x01\x87R(K\x03"
            + text(b"|")
            + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        )

    def array(value: bytes) -> bytes:
        shape = b"J" + len(value).to_bytes(4, "little") + b"\x85"
        return (
            b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + text(b"b") + b"\x87R"
            b"(K\x01" + shape + dtype(b"u1") + b"\x89" + text(value) + b"tb"
        )

    def scalar(value: bool) -> bytes:
        return b"cnumpy.core.multiarray\nscalar\n" + dtype(b"b1") + text(bytes([value])) + b"\x86R"

    return b"\x80\x02](" + b"".join(map(array, images)) + b"e](" + b"".join(map(scalar, flags)) + b"e\x86."


def test_bin_of_numpy_arrays_written_by_python_2(tmp_path: Path) -> None:
    images = [jpeg(seed) for seed in range(4)]
    raw = python2_numpy_bin(images, [True, False])
    # the hand-made stream is a true NumPy pickle: NumPy's own unpickler reads the same from it
    arrays, flags = pickle.loads(raw, encoding="bytes")
    assert [array.tobytes() for array in arrays] == images
    assert flags == [True, False]
    (tmp_path / "cfp_fp.bin").write_bytes(raw)
    data = read_bin(tmp_path / "cfp_fp.bin")
    assert list(data.images) == images
    assert data.is_genuine.tolist() == [True, False]


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("as_images", [bytes, bytearray, "array", "column"])
@pytest.mark.parametrize("as_flags", ["bools", "numpy bools", "ints", "numpy array"])
def test_bin_written_by_python_3(tmp_path: Path, protocol: int, as_images: object, as_flags: str) -> None:
    encoded = [jpeg(seed) for seed in range(6)]
    convert = {
        bytes: bytes,
        bytearray: bytearray,
        "array": lambda b: np.frombuffer(b, np.uint8).copy(),
        "column": lambda b: np.frombuffer(b, np.uint8).copy()[:, None],  # what cv2.imencode returned
    }[as_images]
    flags = {
        "bools": [True, False, True],
        "numpy bools": [np.True_, np.False_, np.True_],
        "ints": [1, 0, np.int64(1)],
        "numpy array": np.array([True, False, True]),
    }[as_flags]
    path = tmp_path / "set.bin"
    path.write_bytes(pickle.dumps(([convert(b) for b in encoded], flags), protocol=protocol))
    data = read_bin(path)
    assert list(data.images) == encoded
    assert data.is_genuine.tolist() == [True, False, True]
    assert data.read(3) == encoded[3]


class Harmful:
    def __init__(self, function: object, *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.call


@pytest.mark.parametrize("protocol", range(6))
def test_bin_never_runs_code(tmp_path: Path, protocol: int) -> None:
    witness = tmp_path / "witness"
    path = tmp_path / "evil.bin"
    for payload in (Harmful(exec, f"open({str(witness)!r}, 'w')"), Harmful(Path.touch, witness)):
        path.write_bytes(pickle.dumps(([payload, b"x"], [True]), protocol=protocol))
        with pytest.raises(DataError, match="asks to import"):
            read_bin(path)
        assert not witness.exists()


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "damaged"),
        (b"not a pickle", "damaged"),
        (pickle.dumps(([b"a", b"b"], [True]))[:-4], "damaged"),
        (pickle.dumps([b"a", b"b"]), "two lists"),
        (pickle.dumps({"a": 1}), "holds a dict"),
        (pickle.dumps(([b"a", b"b", b"c"], [True])), "3 images for 1 pairs"),
        (pickle.dumps(([], [])), "0 images"),
        (pickle.dumps(([b"a", "text"], [True])), "not bytes"),
        (pickle.dumps(([b"a", b"b"], [7])), "flag 7"),
        (pickle.dumps(([b"a", b""], [True])), "no bytes"),
        (pickle.dumps(([b"a", np.array([None, 1], object)], [True])), "not a bool or a number"),
        # opcode BUILD on an allowed function: an attempt to change the reader itself
        (b"c_codecs\nencode\n(N}(Vx\nI1\nutb.", "refused"),
    ],
)
def test_damaged_bin(tmp_path: Path, raw: bytes, message: str) -> None:
    path = tmp_path / "bad.bin"
    path.write_bytes(raw)
    with pytest.raises(DataError, match=message) as error:
        read_bin(path)
    assert "bad.bin" in str(error.value)


@settings(max_examples=200, deadline=None)
@given(cut=st.integers(0, 500), flip=st.integers(0, 500), value=st.integers(0, 255))
def test_bin_with_a_changed_byte_reads_or_says_so(
    tmp_path_factory: pytest.TempPathFactory, cut: int, flip: int, value: int
) -> None:
    raw = bytearray(pickle.dumps(([np.arange(9, dtype=np.uint8), b"b"], [np.True_]), protocol=2))
    raw[flip % len(raw)] = value
    if cut < 200:
        del raw[cut:]
    path = tmp_path_factory.getbasetemp() / "fuzz.bin"
    path.write_bytes(raw)
    with contextlib.suppress(DataError):  # any other exception fails the test
        assert isinstance(read_bin(path), Dataset)


def test_missing_bin(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.bin is missing: expected an InsightFace"):
        read_bin(tmp_path / "none.bin")


IMAGES = b"](C\x01aC\x01be"


def numbers(shape: tuple[int, ...]) -> bytes:
    """A pickle of (images, array of no bytes with this shape)."""
    array = (
        b"cnumpy._core.numeric\n_frombuffer\n(C\x00cnumpy\ndtype\n(X\x02\x00\x00\x00b1tR("
        + b"".join(b"\x8a\x08" + struct.pack("<q", size) for size in shape)
        + b"tX\x01\x00\x00\x00CtR"
    )
    return b"\x80\x02" + IMAGES + array + b"\x86."


HARMFUL = {
    # hashing it overruns the stack of a Python that builds the dict
    "nested tuples as a dict key": (b"\x80\x02}" + b")" + b"\x85" * 200_000 + b"K\x01s.", "a dict|nested"),
    "nested tuples in a set": (b"\x80\x04\x8f(" + b")" + b"\x85" * 200_000 + b"\x90.", "a set|nested"),
    "frozenset": (pickle.dumps(([b"a", b"b"], frozenset([1]))), "a set"),
    "deep tuples": (b"\x80\x02)" + b"\x85" * 200_000 + b".", "nested more than 8"),
    "deep lists": (b"\x80\x02" + b"]" * 200_000 + b"a" * 199_999 + b".", "nested more than 8"),
    "lists nested from the outside": (
        # each new list goes into the one before, which lies in another by then
        b"\x80\x02]q\x00]q\x01" + b"h\x00h\x01a0]q\x02h\x01h\x02a.", "changes a list",
    ),
    "a list in itself": (b"\x80\x02]q\x00h\x00a.", "lies in itself"),
    "deep marks": (b"\x80\x02" + b"(" * 200_000 + b"t.", "nested more than 32"),
    "a long integer": (
        b"\x80\x02" + IMAGES + b"](\x8b" + struct.pack("<I", 3000) + b"\x7f" * 3000 + b"e\x86.",
        "an integer of 3000 bytes",
    ),
    "a long integer as text": (b"(" + IMAGES + b"](L" + b"9" * 5000 + b"L\net.", "damaged at byte"),
    "an endless row": (numbers((2**34, 0)), "empty, or its shape"),
    "a huge array": (numbers((2**40,)), "empty, or its shape"),
    "a huge claim": (b"\x80\x04\x8e" + struct.pack("<Q", 2**60) + b"x.", "data end"),
    "a huge bytearray": (b"\x80\x05\x96" + struct.pack("<Q", 2**60) + b"x.", "data end"),
    "a far memo index": (b"\x80\x02]r" + struct.pack("<I", 2**31) + b"0.", "damaged"),
    "a flood of copies": (
        b"\x80\x02(X" + struct.pack("<I", 50_000) + b"a" * 50_000 + b"q\x00"
        + b"c_codecs\nencode\n(h\x00tR" * 9000 + b"l.", "more bytes than it holds",
    ),
    "an object": (b"\x80\x02cnumpy\nndarray\n)\x81.", "refused"),
    "a persistent id": (b"Pname\n.", "refused"),
    "an extension": (b"\x80\x02\x82\x01.", "refused"),
    "an out-of-band buffer": (b"\x80\x05\x97.", "refused"),
    "an expression for text": (b"S'a'+'b'\n.", "quotes"),
}  # fmt: skip


@pytest.mark.parametrize("kind", HARMFUL)
def test_harmful_bin_is_refused_in_one_sentence_at_once(tmp_path: Path, kind: str) -> None:
    raw, message = HARMFUL[kind]
    (tmp_path / "bad.bin").write_bytes(raw)
    start = time.perf_counter()
    with pytest.raises(DataError, match=message) as error:
        read_bin(tmp_path / "bad.bin")
    assert time.perf_counter() - start < 5
    assert len(str(error.value)) < 400
    assert "\n" not in str(error.value)


def test_one_image_in_many_places_is_read_once(tmp_path: Path) -> None:
    image = np.arange(200, dtype=np.uint8)
    (tmp_path / "a.bin").write_bytes(pickle.dumps(([image] * 4000, [1] * 2000)))
    data = read_bin(tmp_path / "a.bin")
    assert list(data.images) == [image.tobytes()]
    assert len(data.pairs) == 2000
