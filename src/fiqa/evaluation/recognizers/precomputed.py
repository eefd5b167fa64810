"""Embeddings that were computed elsewhere: an ``.npz`` with ``names`` (n,) and ``embeddings`` (n, D)."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import ArrayLike, NDArray

from ...errors import DataError
from ...types import FloatArray

_EXPECTED = "an .npz with names (n,) and embeddings (n, D)"
# A file of zeros may unpack to a thousand times its size; numbers that say something never do.
_MOST_UNPACKED, _MOST_RATIO = 64_000_000, 50


class PrecomputedEmbeddings:
    """Looks embeddings up by image name.

    Args:
        path: an ``.npz`` with ``names``, different texts, and ``embeddings``, finite real numbers, as many.
        name: what reports call it; by default the file's name.

    Raises:
        DataError: the file is missing or damaged, lacks one of the arrays, or holds something else.
    """

    def __init__(self, path: str | Path, name: str | None = None) -> None:
        try:
            with zipfile.ZipFile(path) as archive:
                names, embeddings = (_array(archive, member) for member in ("names", "embeddings"))
        except (OSError, ValueError, KeyError, EOFError, RuntimeError, MemoryError) as error:
            raise DataError(f"{path} can't be used ({_cause(error)}): expected {_EXPECTED}") from error
        except (zipfile.BadZipFile, zlib.error) as error:
            raise DataError(f"{path} is no whole zip ({error}): expected {_EXPECTED}") from error
        self._fill(names, embeddings, name or Path(path).stem, str(path))

    @classmethod
    def from_arrays(
        cls, names: Sequence[str] | NDArray[Any], embeddings: ArrayLike, name: str = "embeddings"
    ) -> PrecomputedEmbeddings:
        """The same from arrays: ``names`` n different texts, ``embeddings`` (n, D) finite real numbers."""
        new = cls.__new__(cls)
        new._fill(np.asarray(names), np.asarray(embeddings), name, name)
        return new

    def _fill(self, names: NDArray[Any], embeddings: NDArray[Any], name: str, source: str) -> None:
        self.name, self._source = name, source
        if names.ndim != 1 or names.dtype.kind not in "US" or embeddings.dtype.kind not in "fiu":
            raise DataError(
                f"{source} holds names of {names.dtype} and embeddings of {embeddings.dtype}: expected text "
                "and real numbers"
            )
        if embeddings.ndim != 2 or len(names) != len(embeddings) or not embeddings.size:
            raise DataError(
                f"{source} holds names {names.shape} and embeddings {embeddings.shape}: expected (n,) and "
                "(n, D), neither empty"
            )
        with np.errstate(over="ignore"):
            self._embeddings: FloatArray = np.asarray(embeddings, dtype=np.float32)
        if not (good := np.isfinite(self._embeddings).all(axis=1)).all():
            raise DataError(
                f"{source} holds embeddings that are not finite, the first in row {int(np.argmin(good))}"
            )
        texts = [_text(one, row, source) for row, one in enumerate(names.tolist())]
        self._row: dict[str, int] = {}
        # a list made from another copy of the images may differ in the suffix alone
        self._rows_by_stem: dict[str, list[int]] = {}
        for row, text in enumerate(texts):
            if self._row.setdefault(text, row) != row:
                raise DataError(
                    f"{source} names {text[:80]!r} twice, in rows {self._row[text]} and {row}: expected "
                    "every image once"
                )
            self._rows_by_stem.setdefault(_stem(text), []).append(row)

    def lookup(self, names: Sequence[str]) -> FloatArray:
        """Embeddings (len(names), D) in this order.

        A name is matched as it is, or else without its suffix.

        Raises:
            DataError: names that the file lacks, or that fit several of its rows.
        """
        rows, missing = [], []
        for name in names:
            fitting = [self._row[name]] if name in self._row else self._rows_by_stem.get(_stem(name), [])
            if len(fitting) > 1:
                raise DataError(
                    f"{self._source} has {len(fitting)} rows for {name!r} with other suffixes: give one of "
                    "them this name"
                )
            if fitting:
                rows.append(fitting[0])
            else:
                missing.append(name)
        if missing:
            shown = ", ".join(missing[:3]) + (", …" if len(missing) > 3 else "")
            raise DataError(f"{self._source} lacks {len(missing)} of the {len(names)} images: {shown}")
        return self._embeddings[rows]


def _array(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    """One array of an ``.npz``, after a look at what it would cost."""
    found = [info for info in archive.infolist() if info.filename in (name, f"{name}.npy")]
    if len(found) != 1:
        raise ValueError(f"it has {len(found) or 'no'} {name}")
    (info,) = found
    if info.file_size > max(_MOST_UNPACKED, _MOST_RATIO * info.compress_size):
        raise ValueError(f"{name} unpacks from {info.compress_size} to {info.file_size} bytes")
    with archive.open(info) as member:
        version = npy.read_magic(member)
        read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
        if read_header is None:
            raise ValueError(f"{name} is written in version {version} of the format")
        shape, _, dtype = read_header(member)
        if dtype.hasobject or _size(shape) * dtype.itemsize > info.file_size:
            raise ValueError(f"{name} is of {dtype} {shape}, which its {info.file_size} bytes do not hold")
    with archive.open(info) as member:
        array: NDArray[Any] = npy.read_array(member, allow_pickle=False)
    return array


def _size(shape: tuple[int, ...]) -> int:
    total = 1
    for length in shape:  # not numpy's product, which would wrap round
        if length < 0:
            raise ValueError(f"a shape of {shape} is none")
        total *= length
    return total


def _text(value: str | bytes, row: int, source: str) -> str:
    try:
        return value.decode() if isinstance(value, bytes) else value
    except UnicodeDecodeError as error:
        raise DataError(f"{source} holds a name that is not UTF-8 text, in row {row}") from error


def _cause(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return " ".join(str(error).split())[:200] or type(error).__name__


def _stem(name: str) -> str:
    path = PurePosixPath(name)
    return str(path.with_suffix("")) if path.name else name
