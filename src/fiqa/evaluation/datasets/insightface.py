"""InsightFace ``.bin`` files: a pickle of (list of encoded images, list of is-same flags).

A pickle can run any code, so this reads them with an unpickler that knows lists, tuples, bytes, bools and
numbers, and NumPy's ways to write those; anything else is refused. NumPy's own unpickling is not used.
"""

from __future__ import annotations

import io
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ...errors import DataError
from ._common import contiguous_folds, existing, subjects_from_pairs
from .types import Dataset

_EXPECTED = "an InsightFace .bin: a pickle of (encoded images, is-same flags)"


# what opcodes out of place raise, each in its own way
_BROKEN = (
    pickle.UnpicklingError,
    struct.error,
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    NameError,
    TypeError,
    ValueError,
)


class _DType:
    """Stands in for numpy.dtype: a type name, checked to be a plain bool or number."""

    def __init__(self, code: Any, align: Any = False, copy: Any = False) -> None:
        text = code.decode("ascii", "replace") if isinstance(code, bytes) else str(code)
        if text.lstrip("<>|=") not in (
            "b1",
            "u1",
            "i1",
            "i2",
            "i4",
            "i8",
            "u2",
            "u4",
            "u8",
            "f2",
            "f4",
            "f8",
        ):
            raise pickle.UnpicklingError(f"NumPy type {text!r} is not a bool or a number")
        self.dtype = np.dtype(text)

    def __setstate__(self, state: Any) -> None:
        order = state[1].decode("ascii", "replace") if isinstance(state[1], bytes) else str(state[1])
        if order == ">":  # the other orders mean this machine's, or nothing for one byte
            self.dtype = self.dtype.newbyteorder(">")


class _Array:
    """Stands in for numpy.ndarray while unpickling; holds a plain array once its state is known."""

    def __init__(self, *_: Any) -> None:
        self.array = np.zeros(0, np.uint8)

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, is_fortran, data = state
        self.array = _as_array(data, dtype, shape, "F" if is_fortran else "C")


def _as_array(data: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
    if isinstance(data, str):  # Python 2 bytes that were written as text
        data = data.encode("latin-1")
    if not isinstance(data, bytes | bytearray) or not isinstance(dtype, _DType):
        raise pickle.UnpicklingError("a NumPy array in it is not plain bytes")
    order = order.decode("ascii", "replace") if isinstance(order, bytes) else order
    return np.frombuffer(bytes(data), dtype.dtype).reshape(shape, order="F" if order == "F" else "C")


def _from_buffer(data: Any, dtype: Any, shape: Any, order: Any) -> _Array:
    holder = _Array()
    holder.array = _as_array(data, dtype, shape, order)
    return holder


def _scalar(dtype: Any, data: Any) -> Any:
    return _as_array(data, dtype, (1,), "C")[0].item()


def _encode(text: Any, encoding: Any = "latin-1") -> bytes:
    # how Python 3 writes bytes in the old pickle protocols
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1", b"latin1", b"latin-1"):
        raise pickle.UnpicklingError("text in it is not Latin-1 bytes")
    return text.encode("latin-1")


def _bytes(*arguments: Any) -> bytes:
    if not arguments:
        return b""
    if len(arguments) == 1 and isinstance(arguments[0], bytes | bytearray | list):
        return bytes(arguments[0])
    return _encode(*arguments)


class _Call:
    """A stand-in function that the pickle can call and not change."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError("it asks to change a function, which is refused")


_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _DType,
    ("_codecs", "encode"): _Call(_encode),
    **{
        (module, kind): _Call(_bytes)
        for module in ("builtins", "__builtin__")
        for kind in ("bytes", "bytearray")
    },
    **{
        (f"numpy.{core}.{module}", name): stand_in
        for core in ("core", "_core")
        for module, name, stand_in in (
            ("multiarray", "_reconstruct", _Array),
            ("multiarray", "scalar", _Call(_scalar)),
            ("numeric", "_frombuffer", _Call(_from_buffer)),
        )
    },
}


# The unpickler written in Python, not the one in C: that one reserves memory for whatever memo index the file
# claims, so that one wrong byte can take all of it. Its one such opcode is replaced below.
class _SafeUnpickler(pickle._Unpickler):
    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)

    def _load_bytearray(self) -> None:
        (size,) = struct.unpack("<Q", self.read(8))  # type: ignore[attr-defined]
        self.append(bytearray(self.read(size)))  # type: ignore[attr-defined]

    dispatch[pickle.BYTEARRAY8[0]] = _load_bytearray

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks to import {module}.{name}, which is refused") from None


def _encoded_image(item: Any) -> bytes:
    if isinstance(item, bytes | bytearray):
        return bytes(item)
    if isinstance(item, _Array) and item.array.dtype == np.uint8:
        return item.array.tobytes()
    raise DataError(f"image is a {type(item).__name__}, not bytes")


def _flag(item: Any) -> bool:
    if isinstance(item, _Array) and item.array.size == 1:
        item = item.array.reshape(-1)[0].item()
    if isinstance(item, bool | int | float) and item in (0, 1):
        return bool(item)
    raise DataError(f"is-same flag {item!r} is not a bool")


def read_bin(path: str | Path, name: str | None = None) -> Dataset:
    """Read an InsightFace verification set: LFW, AgeDB-30, CFP-FP, CALFW, CPLFW … as ``.bin``.

    An image that occurs in several pairs is kept once. Subjects come from the mated pairs, folds from the
    order (ten). Raises DataError when the file is missing, damaged, or would import anything.
    """
    path = Path(path)
    existing(path, _EXPECTED)
    try:
        content = _SafeUnpickler(io.BytesIO(path.read_bytes()), encoding="bytes").load()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}): expected {_EXPECTED}") from error
    except _BROKEN as error:
        reason = f"{type(error).__name__}: {error}"
        raise DataError(f"{path} is damaged or not what it seems ({reason}): expected {_EXPECTED}") from error
    if not isinstance(content, tuple | list) or len(content) != 2:
        raise DataError(f"{path} holds a {type(content).__name__}: expected {_EXPECTED}")
    encoded, flags = (part.array.tolist() if isinstance(part, _Array) else part for part in content)
    if not isinstance(encoded, list | tuple) or not isinstance(flags, list | tuple):
        raise DataError(f"{path} does not hold two lists: expected {_EXPECTED}")
    if not flags or len(encoded) != 2 * len(flags):
        raise DataError(f"{path} holds {len(encoded)} images for {len(flags)} pairs: expected two a pair")
    try:
        is_genuine = np.array([_flag(flag) for flag in flags], dtype=np.bool_)
        first_seen: dict[bytes, int] = {}
        rows = [first_seen.setdefault(_encoded_image(item), len(first_seen)) for item in encoded]
    except DataError as error:
        raise DataError(f"{path}: {error}; expected {_EXPECTED}") from error
    images = list(first_seen)
    if not all(images):
        raise DataError(f"{path}: an image has no bytes; expected {_EXPECTED}")
    pairs = np.array(rows, dtype=np.int32).reshape(-1, 2)
    return Dataset(
        name=name or path.stem,
        images=images,
        names=tuple(f"{index:06d}" for index in range(len(images))),
        subjects=subjects_from_pairs(len(images), pairs, is_genuine),
        pairs=pairs,
        is_genuine=is_genuine,
        folds=contiguous_folds(is_genuine),
    )
