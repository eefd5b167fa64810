"""Where results go: CSV, JSON lines or Parquet, row by row, so that a killed run loses no finished row."""

from __future__ import annotations

import itertools
import json
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from ..errors import DataError, UsageError, require, unknown
from .journal import AGAIN, Contents, Journal, check_columns
from .lock import WriterLock
from .rows import Header, Row
from .sinks import CsvSink, JsonlSink, parquet_names, read_parquet, write_parquet

FORMATS: dict[str, Callable[..., CsvSink | JsonlSink]] = {
    ".csv": CsvSink,
    ".jsonl": JsonlSink,
    ".parquet": JsonlSink,  # by way of a journal
}


class Output:
    """A result file that can be continued: ``with Output(path, columns, facts, resume=True) as output: …``.

    Beside it lies ``PATH.run.json`` with what decided the numbers (model, methods, alignment, versions), and
    while it is written a lock, ``.NAME.lock``. For Parquet, which can't be appended to, rows are kept in
    ``PATH.part.jsonl`` first and turned into PATH last.

    Args:
        path: ends in .csv, .jsonl or .parquet.
        columns: what the rows have.
        facts: what decided the numbers, JSON values; a resumed run must have the same under ``decides``.
        resume: go on with an existing file; without it, an existing file is kept as ``PATH.bak``
            (``PATH.bak2`` and so on where there is one already). Rows of status ``failed`` are taken out, so
            that they are tried again; those of ``unreadable`` too where truncated JPEGs are read now and were
            not before.
        several_rows: whether one path may have several rows (all faces), so that the last path of an
            interrupted run may be incomplete and is done again.

    Attributes:
        done: paths that need no further work.
        n_failed: rows so far whose status is not ok.
        remarks: what was done to files that were there, a sentence each.

    Raises:
        UsageError: another suffix, a folder that does not exist, something that is no file, a file that
            another run is writing, or one that was written with other columns or settings.
        DataError: the file to resume from is damaged before its last row.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        columns: Sequence[Header],
        facts: dict[str, Any],
        *,
        resume: bool = False,
        several_rows: bool = False,
    ) -> None:
        self.path = Path(path)
        suffix = self.path.suffix.lower()
        check_place(self.path)
        self._columns = columns
        self._parquet = suffix == ".parquet"
        self._journal = Path(f"{self.path}.part.jsonl") if self._parquet else self.path
        self._facts_path = Path(f"{self.path}.run.json")
        self.done: set[str] = set()
        self.n_failed = 0
        self.remarks: list[str] = []
        sink = FORMATS[suffix]
        self._names = [column.name for column in self._columns if column.in_csv or sink is JsonlSink]
        self._lock = WriterLock(self.path)
        try:
            kept = self._resumed(facts, several_rows) if resume else self._begun()
            _write_text(self._facts_path, json.dumps(facts, indent=1, allow_nan=False) + "\n")
            self._file = open(  # noqa: SIM115
                self._journal, "a" if kept else "w", encoding="utf-8", errors="surrogateescape", newline=""
            )
            self._sink = sink(self._file, self._columns, write_header=not kept)
        except BaseException:
            self._lock.release()
            raise

    def write(self, values: Row) -> None:
        """Append one row and hand it to the operating system at once."""
        self.n_failed += values["status"] != "ok"
        self._sink.write(values)

    def __enter__(self) -> Output:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._file.close()
            if kind is None and self._parquet:
                with open(self._journal, encoding="utf-8") as lines:
                    write_parquet(self.path, map(json.loads, lines), self._columns)
                self._journal.unlink()
        finally:
            self._lock.release()

    # ------------------------------------------------------------ what is there already

    def _begun(self) -> bool:
        for old in dict.fromkeys((self.path, self._journal)):
            if old.exists() and old.stat().st_size:
                old.replace(kept := _free(old))
                self.remarks.append(f"{str(old)!r} was there already and is kept as {str(kept)!r}")
        return False

    def _resumed(self, facts: dict[str, Any], several_rows: bool) -> bool:
        """Take out what is not finished, remember the finished paths; whether anything is left."""
        again = self._tried_again(facts)
        if self._parquet and self.path.exists() and not self._journal.exists():
            self._journal_from_parquet()
        if not self._journal.exists():
            return False
        journal = Journal(self._journal, self._names, name=str(self.path))
        contents = journal.inspect(several_rows=several_rows, again=again)
        journal.keep(contents)
        self.done, self.n_failed = contents.done, contents.n_failed
        self.remarks += _remarks(contents)
        return contents.size > 0

    def _tried_again(self, facts: dict[str, Any]) -> tuple[str, ...]:
        """Statuses of rows that are not final, once the settings are found to be those of before."""
        if not self._journal.exists() and not self.path.exists():
            return AGAIN
        try:
            before = json.loads(self._facts_path.read_text(encoding="utf-8")).get("decides", {})
        except FileNotFoundError:
            return AGAIN  # a table from elsewhere: its columns are checked, and no more is known
        except (ValueError, AttributeError, RecursionError) as error:
            raise DataError(f"{str(self._facts_path)!r} is damaged: {error}") from error
        again: tuple[str, ...] = AGAIN
        for name, value in facts.get("decides", {}).items():
            if name == "tolerant" and value and before.get(name) is False:
                again = (*AGAIN, "unreadable")  # the other rows stay right: more is read, and no other way
            elif name in before and before[name] != json.loads(json.dumps(value)):
                raise UsageError(
                    f"{str(self.path)!r} was written with {name} {before[name]!r}, not {value!r}: "
                    "resume with the same settings, or write to another file"
                )
        return again

    def _journal_from_parquet(self) -> None:
        check_columns(parquet_names(self.path), self._names, str(self.path))
        temporary = Path(f"{self.path}.part")  # a kill must not leave half a journal beside the whole table
        with open(temporary, "w", encoding="utf-8", newline="") as file:
            sink = JsonlSink(file, self._columns)
            for values in read_parquet(self.path):
                sink.write(values)
        temporary.replace(self._journal)


def check_place(path: Path) -> None:
    """Refuse what can't be a result file, before anything costs time.

    Raises:
        UsageError: another suffix, a folder that does not exist, or something that is no file.
        MissingExtra: Parquet without pyarrow.
    """
    if (suffix := path.suffix.lower()) not in FORMATS:
        raise unknown("output format", suffix or str(path), FORMATS)
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        if not path.parent.is_dir():
            raise UsageError(f"the output {str(path)!r} is in a folder that does not exist") from None
    except (OSError, ValueError) as error:  # links in a circle, a name too long
        cause = getattr(error, "strerror", None) or error
        raise UsageError(f"the output {str(path)!r} can't be used: {cause}") from error
    else:
        if stat.S_ISDIR(mode):
            raise UsageError(f"the output {str(path)!r} is a folder")
        if not stat.S_ISREG(mode):
            raise UsageError(
                f"the output {str(path)!r} is a pipe or a device: name a file, or leave --output out for CSV"
            )
    if suffix == ".parquet":
        require("pyarrow", "parquet", "writing .parquet")


def _remarks(contents: Contents) -> Iterator[str]:
    if contents.n_broken:
        yield f"{contents.n_broken} rows of the table are no whole rows and are scored again"
    if n_failed := len(contents.again) - contents.n_broken:
        yield f"{max(n_failed, 0)} images were not scored and are tried again"


def _free(path: Path) -> Path:
    """The first name ``path.bak``, ``path.bak2``, … that nothing has."""
    names = (Path(f"{path}.bak{'' if i == 1 else i}") for i in itertools.count(1))
    return next(name for name in names if not os.path.lexists(name))


def _write_text(path: Path, text: str) -> None:
    """A kill leaves the text of before or this one."""
    temporary = Path(f"{path}.part")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
