"""A Parquet or CSV list in → the images that it names, with its other columns, out."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

from ..errors import DataError, UsageError, require
from ..images.remote import filesystem, is_remote
from .items import Item
from .rows import Header, Kind
from .sinks import read_parquet, unescaped

SUFFIXES = (".csv", ".parquet")
PATH = "path"  # the column that names the images, unless somebody says otherwise


def is_list(path: str) -> bool:
    """Whether a path or URL ends like a list with columns."""
    return path.partition("?")[0].lower().endswith(SUFFIXES)


class NoSuchColumn(DataError):
    """A list has no column that names its images."""


class ListSource:
    """A list of images with a column of paths or URLs; relative ones count from the working folder.

    Args:
        name: the file or URL, .csv or .parquet.
        path_column: the column that names the images.

    Raises:
        DataError: it can't be read, or has no such column.
        MissingExtra: Parquet without pyarrow.
    """

    def __init__(self, name: str, path_column: str = PATH) -> None:
        self.name, self._path_column = name, path_column
        self._parquet = name.partition("?")[0].lower().endswith(".parquet")
        if self._parquet:
            require("pyarrow", "parquet", f"reading {name!r}")
        self._kinds = self._read_kinds()
        if path_column not in self._kinds:
            raise NoSuchColumn(
                f"the list {name!r} must have a column {path_column!r}, but has "
                f"{', '.join(self._kinds) or 'none'}: name it with --path-column"
            )
        self.columns = tuple(
            Header(name=column, kind=kind) for column, kind in self._kinds.items() if column != path_column
        )

    def __iter__(self) -> Iterator[Item]:
        """Its items.

        Raises:
            DataError: it is damaged, or a row names no image.
        """
        for number, values in enumerate(self._rows(), 1):
            path = values.pop(self._path_column, None)
            if not isinstance(path, str) or not path:
                raise DataError(f"row {number} of the list {self.name!r} names no image")
            yield Item(path=path, carried=values)

    def _read_kinds(self) -> dict[str, Kind]:
        with self._opened() as file:
            try:
                if self._parquet:
                    import pyarrow.parquet as pq

                    return {field.name: _kind(field.type) for field in pq.read_schema(file)}
                return dict.fromkeys(next(_csv_records(file), []), "text")
            except (OSError, ValueError, csv.Error) as error:
                raise self._damaged(error) from error

    def _rows(self) -> Iterator[dict[str, Any]]:
        with self._opened() as file:
            try:
                if self._parquet:
                    for values in read_parquet(file):
                        yield {name: _plain(values[name], kind) for name, kind in self._kinds.items()}
                    return
                records = _csv_records(file)
                names = next(records, [])
                for cells in records:
                    if len(cells) != len(names):
                        raise ValueError(f"a row has {len(cells)} cells, not {len(names)}")
                    yield dict(zip(names, map(unescaped, cells), strict=True))
            except (OSError, ValueError, csv.Error) as error:
                raise self._damaged(error) from error

    def _opened(self) -> BinaryIO:
        return opened(self.name)

    def _damaged(self, error: Exception) -> DataError:
        return DataError(f"the list {self.name!r} can't be read: {error}")


def opened(name: str) -> BinaryIO:
    """A list, opened for reading, wherever it lies.

    Raises:
        DataError: it can't be opened.
    """
    try:
        if is_remote(name):
            fs, path = filesystem(name)
            file: BinaryIO = fs.open(path, "rb")
            return file
        return open(name, "rb")
    except (OSError, ValueError) as error:
        if isinstance(error, DataError | UsageError):
            raise
        cause = getattr(error, "strerror", None) or error
        raise DataError(f"the list {name!r} can't be read: {cause}") from error


def merged(lists: Sequence[Sequence[Header]]) -> tuple[Header, ...]:
    """The columns of several lists as those of one table, each once; of two kinds: text.

    >>> [(c.name, c.kind) for c in merged([[Header(name="id", kind="integer")],
    ...                                    [Header(name="id", kind="text")]])]
    [('id', 'text')]
    """
    kinds: dict[str, Kind] = {}
    for headers in lists:
        for header in headers:
            kinds[header.name] = header.kind if kinds.get(header.name, header.kind) == header.kind else "text"
    return tuple(Header(name=name, kind=kind) for name, kind in kinds.items())


def _csv_records(file: BinaryIO) -> Iterator[list[str]]:
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
    return (cells for cells in csv.reader(text, strict=True) if cells)


def _kind(arrow_type: Any) -> Kind:
    """The kind of column that a Parquet type becomes; what has no own is text."""
    from pyarrow import types

    if types.is_boolean(arrow_type):
        return "truth"
    if types.is_integer(arrow_type) and not types.is_uint64(arrow_type):
        return "integer"
    return "number" if types.is_floating(arrow_type) else "text"


def _plain(value: Any, kind: Kind) -> Any:
    """A JSON value: no NaN, and text for what JSON has no word for."""
    if value is None or (kind == "number" and not math.isfinite(value)):
        return None
    return str(value) if kind == "text" else value
