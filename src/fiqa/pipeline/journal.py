"""A table that a run left behind in → which rows are finished, and the table without the others, out."""

from __future__ import annotations

import csv
import json
import os
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from ..errors import DataError, UsageError
from ..types import STATUSES
from .sinks import unescaped

AGAIN = ("failed",)  # what may go well another time: out of memory, an engine that broke
_LONGEST = 1 << 16  # bytes of a CSV record; a quote that was lost would make one of all the rest
_OLD = ("path", "face", "status", "score")  # what version 0.1 wrote before the methods, and nothing after


@dataclass(slots=True, kw_only=True)
class Contents:
    """What a table holds.

    Attributes:
        done: paths whose rows are all there and final.
        again: paths of which a row is not: they lose all their rows and are scored again.
        n_broken: whole rows with a wrong number of fields or an unknown status.
        n_failed: final rows whose status is not ok.
        size: bytes up to which the table is to be kept.
    """

    done: set[str] = field(default_factory=set)
    again: set[str] = field(default_factory=set)
    n_broken: int = 0
    n_failed: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True)
class _Record:
    data: bytes  # as it stands in the file, with its line break
    path: str
    status: str  # empty if the row is broken


class Journal:
    """A CSV or JSON lines file, read record by record.

    Args:
        file: the file.
        names: the columns that it must have.
        name: what messages call it.
    """

    def __init__(self, file: Path, names: Sequence[str], *, name: str) -> None:
        self._file, self._names, self._name = file, list(names), name
        self._csv = file.suffix.lower() == ".csv"

    def inspect(self, *, several_rows: bool, again: Collection[str] = AGAIN) -> Contents:
        """Find out what is finished.

        Args:
            several_rows: whether a path may have several rows, so that the last one's may be incomplete.
            again: statuses that are not final.

        Raises:
            DataError: the file is damaged before its last row.
            UsageError: it has other columns.
        """
        found, bad = Contents(), Counter[str]()
        last, last_start = None, 0
        for record in self._records():
            if record is None:
                found.size = last_start = self._header_size
                continue
            if record.path != last:
                last, last_start = record.path, found.size
            found.size += len(record.data)
            found.n_broken += not record.status
            if not record.status or record.status in again:
                found.again.add(record.path)
            found.done.add(record.path)
            bad[record.path] += record.status != "ok"
        if several_rows and last is not None:
            found.size = last_start
            found.done.discard(last)
            bad.pop(last, None)
        found.done -= found.again
        found.n_failed = sum(bad[path] for path in found.done)
        return found

    def keep(self, contents: Contents) -> None:
        """Cut off or take out the rows that are not finished, in one step."""
        if not contents.again:
            os.truncate(self._file, contents.size)
            return
        temporary = Path(f"{self._file}.part")
        with open(temporary, "wb") as out:
            for record in self._records():
                if record is None:
                    out.write(self._header)
                elif record.path in contents.done:
                    out.write(record.data)
        temporary.replace(self._file)

    # ------------------------------------------------------------ records

    def _records(self) -> Iterator[_Record | None]:
        """The whole records; None stands for the header of a CSV. A last one without its end is left out."""
        with open(self._file, "rb") as file:
            pieces = self._csv_pieces(file) if self._csv else _lines(file)
            if self._csv:
                self._header = next(pieces, b"")
                if not self._header:
                    return
                self._check_columns(self._cells(self._header))
                yield None
            for number, data in enumerate(pieces):
                yield self._csv_record(data) if self._csv else self._json_record(data, first=number == 0)

    @property
    def _header_size(self) -> int:
        return len(self._header)

    def _csv_pieces(self, file: BinaryIO) -> Iterator[bytes]:
        """Records with their line break, which is one outside quotes."""
        record, quotes = b"", 0
        for line in file:
            record += line
            quotes += line.count(b'"')
            if line.endswith(b"\n") and quotes % 2 == 0:
                yield record
                record, quotes = b"", 0
            elif len(record) > _LONGEST:
                raise self._damaged("a quote is missing")

    def _cells(self, data: bytes) -> list[str]:
        text = data.decode("utf-8", "surrogateescape").removesuffix("\n")
        try:
            return next(csv.reader([text], strict=True), [])
        except csv.Error as error:
            raise self._damaged(error) from error

    def _csv_record(self, data: bytes) -> _Record:
        cells = self._cells(data)
        values = dict(zip(self._names, cells, strict=False))
        whole = len(cells) == len(self._names)
        status = values.get("status", "") if whole else ""
        return _Record(data, unescaped(values.get("path", "")), status if status in STATUSES else "")

    def _json_record(self, data: bytes, *, first: bool) -> _Record:
        try:
            values = json.loads(data)
            names = list(values)
        except (ValueError, TypeError, RecursionError) as error:
            raise self._damaged(error) from error
        if not isinstance(values, dict):
            raise self._damaged("a line is no object")
        if first:
            self._check_columns(names)
        path, status = values.get("path"), values.get("status")
        if not isinstance(path, str) or names != self._names or status not in STATUSES:
            status = ""
        return _Record(data, path if isinstance(path, str) else "", status)

    def _check_columns(self, found: Sequence[str]) -> None:
        check_columns(found, self._names, self._name)

    def _damaged(self, cause: object) -> DataError:
        return DataError(f"{self._name!r} is damaged and can't be resumed: {cause}")


def check_columns(found: Sequence[str], wanted: Sequence[str], name: str) -> None:
    """Refuse a table of other columns.

    Raises:
        UsageError: it was written with other methods or options, or by the first version.
    """
    if list(found) == list(wanted):
        return
    if tuple(found[:4]) == _OLD and "reason" not in found:
        raise UsageError(
            f"{name!r} was written by an older version of fiqa, whose tables end with the methods: "
            "write to another file, or rename this one"
        )
    raise UsageError(
        f"{name!r} has columns {', '.join(found)}, not {', '.join(wanted)}: "
        "resume with the same methods and options, or write to another file"
    )


def _lines(file: BinaryIO) -> Iterator[bytes]:
    return (line for line in file if line.endswith(b"\n"))
