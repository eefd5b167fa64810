"""Where results go: CSV, JSON lines or Parquet, row by row, so that a killed run loses no finished row."""

from __future__ import annotations

import csv
import io
import itertools
import json
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from ..errors import DataError, UsageError, require, unknown
from .rows import Row, columns
from .sinks import CsvSink, JsonlSink


def _free(path: Path) -> Path:
    """The first name ``path.bak``, ``path.bak2``, … that nothing has."""
    names = (Path(f"{path}.bak{'' if i == 1 else i}") for i in itertools.count(1))
    return next(name for name in names if not name.exists())


class Output:
    """A result file that can be continued: ``with Output(path, specs, facts, resume=True) as output: …``.

    Beside it lies ``PATH.run.json`` with what decided the numbers (model, methods, alignment, versions). For
    Parquet, which can't be appended to, rows are kept in ``PATH.part.jsonl`` first and turned into PATH last.

    Args:
        path: ends in .csv, .jsonl or .parquet.
        specs: the method columns.
        facts: what decided the numbers, JSON values; a resumed run must have the same under ``decides``.
        resume: go on with an existing file; without it, an existing file is kept as ``PATH.bak``
            (``PATH.bak2`` and so on where there is one already).
        several_rows: whether one path may have several rows (all faces), so that the last path of an
            interrupted run may be incomplete and is done again.

    Attributes:
        done: paths that need no further work.
        n_failed: rows so far whose status is not ok.

    Raises:
        UsageError: another suffix, a folder that does not exist, or a file that was written with other
            columns or settings.
        DataError: the file to resume from is damaged before its last row.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        specs: Sequence[str],
        facts: dict[str, Any],
        *,
        resume: bool = False,
        several_rows: bool = False,
    ) -> None:
        self.path = Path(path)
        suffix = self.path.suffix.lower()
        if suffix not in FORMATS:
            raise unknown("output format", suffix or str(path), FORMATS)
        if self.path.is_dir() or not self.path.parent.is_dir():
            wrong = "is a folder" if self.path.is_dir() else "is in a folder that does not exist"
            raise UsageError(f"the output {str(self.path)!r} {wrong}")
        if suffix == ".parquet":
            require("pyarrow", "parquet", "writing .parquet")
        self._columns = columns(specs)
        self._parquet = suffix == ".parquet"
        self._journal = Path(f"{self.path}.part.jsonl") if self._parquet else self.path
        self._format = ".jsonl" if self._parquet else suffix
        self._facts_path = Path(f"{self.path}.run.json")
        self.done: set[str] = set()
        self.n_failed = 0
        if resume:
            self._check_facts(facts)
            kept = self._keep_whole_rows(several_rows)
        else:
            for old in {self.path, self._journal}:
                if old.exists() and old.stat().st_size:
                    old.replace(_free(old))
            kept = 0
        self._facts_path.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        self._file = open(  # noqa: SIM115
            self._journal, "a" if kept else "w", encoding="utf-8", errors="surrogateescape", newline=""
        )
        self._sink = FORMATS[self._format](self._file, self._columns, write_header=not kept)

    def write(self, values: Row) -> None:
        """Append one row and hand it to the operating system at once."""
        self.n_failed += values["status"] != "ok"
        self._sink.write(values)

    def __enter__(self) -> Output:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if kind is None and self._parquet:
            self._finish_parquet()

    # ------------------------------------------------------------ resuming

    def _check_facts(self, facts: dict[str, Any]) -> None:
        if not self._journal.exists() and not self.path.exists():
            return
        try:
            before = json.loads(self._facts_path.read_text(encoding="utf-8")).get("decides", {})
        except FileNotFoundError:
            return  # a table from elsewhere: its columns are checked, and no more is known
        except ValueError as error:
            raise DataError(f"{str(self._facts_path)!r} is damaged: {error}") from error
        for name, value in facts.get("decides", {}).items():
            if name in before and before[name] != json.loads(json.dumps(value)):
                raise UsageError(
                    f"{str(self.path)!r} was written with {name} {before[name]!r}, not {value!r}: "
                    "resume with the same settings, or write to another file"
                )

    def _keep_whole_rows(self, several_rows: bool) -> int:
        """Cut off a half-written last row, remember the finished paths, and return the bytes kept."""
        if self._parquet and self.path.exists() and not self._journal.exists():
            self._journal_from_parquet()
        if not self._journal.exists():
            return 0
        data = self._journal.read_bytes()
        ends = _record_ends(data) if self._format == ".csv" else _line_ends(data)
        rows = _read_rows(data[: ends[-1]] if ends else b"", self._format, self._columns, self.path)
        header = int(self._format == ".csv")
        if several_rows and rows:
            last = rows[-1]["path"]
            while rows and rows[-1]["path"] == last:
                rows.pop()
        kept = ends[len(rows) + header - 1] if len(rows) + header and ends else 0
        with open(self._journal, "r+b") as file:
            file.truncate(kept)
        self.done = {values["path"] for values in rows}
        self.n_failed = sum(values["status"] != "ok" for values in rows)
        return kept

    # ------------------------------------------------------------ parquet

    def _schema(self) -> Any:
        import pyarrow as pa

        types = {"path": pa.string(), "face": pa.int32(), "status": pa.string()}
        return pa.schema([(name, types.get(name, pa.float64())) for name in self._columns])

    def _finish_parquet(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        temporary = Path(f"{self.path}.part")
        schema = self._schema()
        with open(self._journal, encoding="utf-8") as lines, pq.ParquetWriter(temporary, schema) as writer:
            while chunk := [json.loads(line) for _, line in zip(range(65536), lines, strict=False)]:
                for values in chunk:
                    values["path"] = _to_utf8(values["path"])
                writer.write_table(pa.Table.from_pylist(chunk, schema=schema))
        temporary.replace(self.path)
        self._journal.unlink()

    def _journal_from_parquet(self) -> None:
        import pyarrow.parquet as pq

        table = pq.read_table(self.path)
        if tuple(table.column_names) != self._columns:
            raise _other_columns(self.path, table.column_names, self._columns)
        temporary = Path(f"{self.path}.part")  # a kill must not leave half a journal beside the whole table
        with open(temporary, "w", encoding="utf-8", newline="") as file:
            sink = JsonlSink(file, self._columns)
            for batch in table.to_batches():
                for values in batch.to_pylist():
                    sink.write({**values, "path": _from_utf8(values["path"])})
        temporary.replace(self._journal)


FORMATS: dict[str, Callable[..., CsvSink | JsonlSink]] = {
    ".csv": CsvSink,
    ".jsonl": JsonlSink,
    ".parquet": JsonlSink,  # by way of a journal
}


def _to_utf8(path: str) -> str:
    r"""A path as Parquet can hold it: text is UTF-8 there, so a byte that is none becomes ``\xNN``."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _from_utf8(text: str) -> str:
    return re.sub(r"\\x([89a-f][0-9a-f])", lambda match: chr(0xDC00 + int(match[1], 16)), text)


def _line_ends(data: bytes) -> list[int]:
    ends, position = [], 0
    for line in data.splitlines(keepends=True):
        position += len(line)
        if line.endswith(b"\n"):
            ends.append(position)
    return ends


def _record_ends(data: bytes) -> list[int]:
    """Offsets at which a CSV record ends: a line break outside quotes."""
    ends, position, quotes = [], 0, 0
    for line in io.BytesIO(data):
        position += len(line)
        quotes += line.count(b'"')
        if line.endswith(b"\n") and quotes % 2 == 0:
            ends.append(position)
    return ends


def _read_rows(data: bytes, kind: str, wanted: Sequence[str], path: Path) -> list[Row]:
    text = data.decode("utf-8", "surrogateescape")
    if not text:
        return []
    try:
        if kind == ".jsonl":
            rows = [dict(json.loads(line)) for line in text.split("\n") if line]
            header = next((list(row) for row in rows if list(row) != list(wanted)), list(wanted))
        else:
            reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
            rows, header = list(reader), list(reader.fieldnames or [])
    except (ValueError, TypeError, csv.Error) as error:
        raise DataError(f"{str(path)!r} is damaged and can't be resumed: {error}") from error
    if header != list(wanted):
        raise _other_columns(path, header, wanted)
    return rows


def _other_columns(path: Path, found: Sequence[str], wanted: Sequence[str]) -> UsageError:
    return UsageError(
        f"{str(path)!r} has columns {', '.join(found)}, not {', '.join(wanted)}: "
        "resume with the same methods, or write to another file"
    )
