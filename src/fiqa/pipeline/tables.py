"""A table that ``fiqa score`` wrote in → its rows, and what decided them, out."""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from ..calibration import Calibration, Gate, read_gate
from ..errors import DataError, UsageError, require, unknown
from .rows import Row, columns
from .sinks import parquet_names, read_parquet, unescaped

_NEEDED = ("path", "status", "score")
_KINDS = {column.name: column.kind for column in columns(())}


class ResultTable:
    """A result table, read row by row; nothing of it is held.

    Args:
        path: .csv, .jsonl or .parquet, or a folder of such parts, ``part-*``, with one ``run.json``.

    Attributes:
        path: the table.
        names: its columns.
        n_broken: rows of the last reading that were no whole rows, such as the last of a killed run.

    Raises:
        DataError: there is none, or it is none that ``fiqa score`` wrote.
        MissingExtra: Parquet without pyarrow.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.n_broken = 0
        self._parts = _parts(self.path)
        self.names = self._names()
        for name in _NEEDED:
            if name not in self.names:
                raise DataError(f"{str(self.path)!r} is no table of fiqa score: it has no column {name!r}")

    def rows(self) -> Iterator[Row]:
        """Its rows in order: column name → value, None where there is none.

        Raises:
            DataError: it is damaged.
        """
        self.n_broken = 0
        for part in self._parts:
            for values in _READERS[part.suffix.lower()](part, self._numbers):
                if values is None or not isinstance(values.get("path"), str) or not values.get("status"):
                    self.n_broken += 1
                else:
                    yield values

    def photographs(self) -> Iterator[Row]:
        """One row for each path: of its largest face, where every face has one; of equal ones the first."""
        seen: set[str] = set()
        for values in self.rows():
            if not values.get("face") and values["path"] not in seen:
                seen.add(values["path"])
                yield values

    def gate(self, rule: str) -> Gate:
        """What a rule such as ``60`` or ``fnmr=1%`` means for this table, by the calibration that scored it.

        Raises:
            UsageError: the text is none, or the table lacks the 0–100 score or the gate.
        """
        if self.facts and self.calibration is None:
            raise UsageError(
                f"{str(self.path)!r} has no score from 0 to 100, which a gate needs: make a profile with "
                "'fiqa calibrate' and score with it"
            )
        return read_gate(rule, self.calibration)

    def passes(self, gate: Gate, values: Row) -> bool:
        """Whether a row passes a gate; one whose status is not ok does not."""
        scored_by = values.get("scored_by") or self.scored_by
        raw = None if scored_by is None else values.get(scored_by)
        return values["status"] == "ok" and gate.passes(values["score"], raw)

    @cached_property
    def facts(self) -> Mapping[str, Any]:
        """What decided the numbers, from the ``run.json`` of the table; empty where there is none."""
        place = self.path / "run.json" if self.path.is_dir() else Path(f"{self.path}.run.json")
        try:
            found = json.loads(place.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as error:
            raise DataError(f"{str(place)!r} is damaged: {error}") from error
        if not isinstance(found, dict) or not isinstance(found.get("decides"), dict):
            raise DataError(f"{str(place)!r} is damaged: it does not say what decides the numbers")
        return found

    @cached_property
    def calibration(self) -> Calibration | None:
        """What made the 0–100 score; None where nothing did, or it is not known."""
        found = self.facts.get("calibration")
        return None if found is None else Calibration.from_dict(found)

    @property
    def scored_by(self) -> str | None:
        """The method column behind the 0–100 score, as far as it is known."""
        found = self.facts.get("decides", {}).get("scored_by")
        return found if isinstance(found, str) else None

    @property
    def methods(self) -> tuple[str, ...]:
        """The method columns, as far as they are known."""
        found = self.facts.get("decides", {}).get("methods")
        return tuple(name for name in found or () if name in self.names)

    @property
    def quality_column(self) -> str:
        """The column that says how good a face is: the 0–100 score, or a method where nothing calibrates."""
        calibrated = not self.facts or self.calibration is not None
        return "score" if calibrated or not self.methods else self.methods[0]

    def quality(self, values: Row) -> float | None:
        """How good a row's face is, higher = better; None where there is no number."""
        found = values.get(self.quality_column)
        return float(found) if isinstance(found, int | float) and math.isfinite(found) else None

    @cached_property
    def _numbers(self) -> frozenset[str]:
        known = {name for name, kind in _KINDS.items() if kind in ("whole", "number")}
        return frozenset({*known, *self.methods})

    def _names(self) -> list[str]:
        part = self._parts[0]
        if part.suffix.lower() == ".parquet":
            require("pyarrow", "parquet", "reading .parquet")
            try:
                return parquet_names(part)
            except (OSError, ValueError) as error:  # pyarrow's own errors are among them
                raise DataError(f"{str(part)!r} can't be read: {error}") from error
        if part.suffix.lower() == ".csv":
            with _opened(part) as file:
                return next(_records(part, csv.reader(file)), [])
        return list(next(_read_jsonl(part, frozenset()), None) or ())


def _parts(path: Path) -> list[Path]:
    """The files of a table: itself, or the parts of a folder."""
    parts = sorted(one for one in path.glob("part-*") if one.suffix in _READERS) if path.is_dir() else [path]
    if not parts:
        raise DataError(f"the folder {str(path)!r} holds no part of a table, such as part-00000.parquet")
    if parts[0].suffix.lower() not in _READERS:
        raise unknown("format of a table", path.suffix or str(path), _READERS)
    if not os.path.lexists(path):
        if os.path.exists(f"{path}.part.jsonl"):
            raise DataError(f"{str(path)!r} is not finished: go on with 'fiqa score --resume'")
        raise DataError(f"there is no table {str(path)!r}: make one with 'fiqa score -o'")
    return parts


def _read_csv(part: Path, numbers: frozenset[str]) -> Iterator[Row | None]:
    with _opened(part) as file:
        records = _records(part, csv.reader(file))
        names = next(records, [])
        for cells in records:
            if len(cells) != len(names):
                yield None
                continue
            yield {
                name: _number(cell, name) if name in numbers else unescaped(cell)
                for name, cell in zip(names, cells, strict=True)
            }


def _records(part: Path, reader: Iterator[list[str]]) -> Iterator[list[str]]:
    try:
        yield from reader
    except (csv.Error, OSError) as error:
        raise DataError(f"{str(part)!r} is damaged: {error}") from error


def _number(cell: str, name: str) -> float | int | None:
    try:
        return (int(cell) if _KINDS.get(name) == "whole" else float(cell)) if cell else None
    except ValueError:
        return None


def _read_jsonl(part: Path, numbers: frozenset[str]) -> Iterator[Row | None]:
    with _opened(part) as file:
        for number, line in enumerate(file, 1):
            try:
                values = json.loads(line)
            except (ValueError, RecursionError) as error:
                if not line.endswith("\n"):  # the last of a run that was killed
                    yield None
                    return
                raise DataError(f"{str(part)!r} is damaged in line {number}: {error}") from error
            yield values if isinstance(values, dict) else None


def _read_parquet(part: Path, numbers: frozenset[str]) -> Iterator[Row | None]:
    try:
        yield from read_parquet(part)
    except (OSError, ValueError) as error:
        raise DataError(f"{str(part)!r} is damaged: {error}") from error


def _opened(part: Path) -> Any:
    try:
        return open(part, encoding="utf-8-sig", errors="surrogateescape", newline="")
    except OSError as error:
        raise DataError(f"the table {str(part)!r} can't be read: {error.strerror}") from error


_READERS: dict[str, Callable[[Path, frozenset[str]], Iterator[Row | None]]] = {
    ".csv": _read_csv,
    ".jsonl": _read_jsonl,
    ".parquet": _read_parquet,
}
