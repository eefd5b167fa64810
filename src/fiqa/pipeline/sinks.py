"""Rows in → CSV or JSON lines out."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any, TextIO

from .rows import Row


class CsvSink:
    """RFC 4180 CSV with a header; absent values are empty, undecodable bytes of a path are kept."""

    def __init__(self, file: TextIO, header: Sequence[str], *, write_header: bool = True) -> None:
        self._file, self._columns = file, tuple(header)
        if write_header:
            self._write_row(self._columns)

    def write(self, values: Row) -> None:
        self._write_row(["" if values[name] is None else values[name] for name in self._columns])

    def _write_row(self, fields: Sequence[Any]) -> None:
        line = io.StringIO()  # csv quotes \r in a path only where \r belongs to the line end
        csv.writer(line, lineterminator="\r\n").writerow(fields)
        self._file.write(line.getvalue().removesuffix("\r\n") + "\n")
        self._file.flush()


class JsonlSink:
    """One JSON object a line; absent values are null."""

    def __init__(self, file: TextIO, header: Sequence[str], *, write_header: bool = True) -> None:
        self._file = file
        self._columns = tuple(header)

    def write(self, values: Row) -> None:
        self._file.write(json.dumps({name: values[name] for name in self._columns}) + "\n")
        self._file.flush()
