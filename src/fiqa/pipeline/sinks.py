"""Rows in → CSV, JSON lines or Parquet out."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from .rows import Header, Row

_RUNS = re.compile(r"'*[=+\-@\t\r]")  # how text begins that a spreadsheet takes for a formula
_BATCH = 8192  # rows of Parquet that are held at a time, as Python objects of 3 kB each
_NOTES = "fiqa"


def escaped(text: str) -> str:
    """Text as a cell of CSV that no spreadsheet runs: ``=1+1`` becomes ``'=1+1``; see :func:`unescaped`."""
    return f"'{text}" if _RUNS.match(text) else text


def unescaped(cell: str) -> str:
    """The inverse of :func:`escaped`.

    >>> [unescaped(escaped(text)) for text in ("=1+1", "'=1+1", "'tis.jpg", "-1.jpg")]
    ['=1+1', "'=1+1", "'tis.jpg", '-1.jpg']
    """
    return cell[1:] if cell.startswith("'") and _RUNS.match(cell) else cell


class CsvSink:
    """RFC 4180 CSV with a header; absent values are empty, undecodable bytes of a path are kept."""

    def __init__(self, file: TextIO, columns: Sequence[Header], *, write_header: bool = True) -> None:
        self._file = file
        self._columns = [column for column in columns if column.in_csv]
        if write_header:
            self._write([column.name for column in self._columns])

    def write(self, values: Row) -> None:
        """Append one row and hand it to the operating system at once."""
        self._write([_cell(values[column.name], column) for column in self._columns])

    def _write(self, cells: Sequence[Any]) -> None:
        line = io.StringIO()  # csv quotes \r in a path only where \r belongs to the line end
        csv.writer(line, lineterminator="\r\n").writerow(cells)
        self._file.write(line.getvalue().removesuffix("\r\n") + "\n")
        self._file.flush()


def _cell(value: Any, column: Header) -> Any:
    if value is None:
        return ""
    if column.kind == "reasons":
        return ";".join(reason["code"] for reason in value)
    if column.kind == "truth":
        return "true" if value else "false"
    return escaped(value) if column.kind == "text" else value


class JsonlSink:
    """One JSON object a line; absent values are null."""

    def __init__(self, file: TextIO, columns: Sequence[Header], *, write_header: bool = True) -> None:
        self._file = file
        self._names = [column.name for column in columns]

    def write(self, values: Row) -> None:
        """Append one row and hand it to the operating system at once."""
        line = json.dumps({name: values[name] for name in self._names}, allow_nan=False)
        self._file.write(line + "\n")
        self._file.flush()


class ParquetSink:
    """Parquet with a schema of the columns; nothing of it can be read before it is closed.

    Args:
        file: opened for writing; stays open.
        columns: of the rows.
    """

    def __init__(self, file: BinaryIO, columns: Sequence[Header]) -> None:
        import pyarrow.parquet as pq

        self._schema = _schema(columns)
        self._texts = [column.name for column in columns if column.kind == "text"]
        self._writer = pq.ParquetWriter(file, self._schema)
        self._rows: list[Row] = []

    def write(self, values: Row) -> None:
        """Append one row; it is written with a batch of others."""
        self._rows.append(values | {name: _to_utf8(values[name]) for name in self._texts})
        if len(self._rows) == _BATCH:
            self._flush()

    def close(self, **notes: int) -> None:
        """Write what is left, and ``notes`` beside the schema, as :func:`parquet_notes` reads them."""
        if self._rows:
            self._flush()
        if notes:
            self._writer.add_key_value_metadata({_NOTES: json.dumps(notes)})
        self._writer.close()

    def abandon(self) -> None:
        """Let go of a file that can't be written."""
        with suppress(Exception):  # it would try to finish the file once more, when it is collected
            self._writer.close()

    def _flush(self) -> None:
        import pyarrow as pa

        self._writer.write_table(pa.Table.from_pylist(self._rows, schema=self._schema))
        self._rows.clear()


def parquet_notes(path: Path) -> dict[str, int]:
    """What :meth:`ParquetSink.close` noted; empty if it is the file of somebody else."""
    import pyarrow.parquet as pq

    text = (pq.read_metadata(path).metadata or {}).get(_NOTES.encode(), b"{}")
    found: dict[str, int] = json.loads(text)
    return found


def write_parquet(path: Path, rows: Iterable[Row], columns: Sequence[Header]) -> None:
    """Write a whole Parquet file, in one step: a kill leaves the file of before."""
    temporary = Path(f"{path}.part")
    with open(temporary, "wb") as file:
        sink = ParquetSink(file, columns)
        try:
            for values in rows:
                sink.write(values)
            sink.close()
        except BaseException:
            sink.abandon()
            raise
    temporary.replace(path)


def read_parquet(source: Path | BinaryIO) -> Iterator[Row]:
    """The rows of a Parquet file that is a path or opened, a batch held at a time."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(source) as file:
        for batch in file.iter_batches(_BATCH):
            for values in batch.to_pylist():
                yield {name: _from_utf8(one) if isinstance(one, str) else one for name, one in values.items()}


def parquet_names(path: Path) -> list[str]:
    """The names of a Parquet file's columns."""
    import pyarrow.parquet as pq

    return list(pq.read_schema(path).names)


def _schema(columns: Sequence[Header]) -> Any:
    import pyarrow as pa

    number, text = pa.float64(), pa.string()
    same = [("value", number), ("unit", text), ("component", text)]
    reason = [("code", text), *same, ("limit", number), ("advice", text)]
    measure = [("name", text), *same, ("scalar", pa.int32())]
    types = {
        "text": pa.string(),
        "whole": pa.int32(),
        "integer": pa.int64(),
        "number": number,
        "truth": pa.bool_(),
        "numbers": pa.list_(number),
        "points": pa.list_(pa.list_(number)),
        "reasons": pa.list_(pa.struct(reason)),
        "measures": pa.list_(pa.struct(measure)),
    }
    return pa.schema([(column.name, types[column.kind]) for column in columns])


def _to_utf8(text: str | None) -> str | None:
    r"""Text as Parquet can hold it: it is UTF-8 there, so a byte of a path that is none becomes ``\xNN``."""
    return None if text is None else os.fsencode(text).decode("utf-8", "backslashreplace")


def _from_utf8(text: str) -> str:
    return re.sub(r"\\x([89a-f][0-9a-f])", lambda match: chr(0xDC00 + int(match[1], 16)), text)
