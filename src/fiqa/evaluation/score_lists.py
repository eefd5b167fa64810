"""Scores that another tool has computed: a CSV of path and score in → one number per image of a data set."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from .. import specs
from ..errors import DataError
from ..pipeline.sinks import unescaped
from .datasets._common import shortened

__all__ = ["ListedScores", "choose_column", "read_scores"]


@dataclass(frozen=True, slots=True)
class ListedScores:
    """One quality measure that another tool has computed.

    Attributes:
        name: what tables call it.
        source: the file, for messages.
        scores: {path: score}, higher = better; −inf stands for an image that the tool refused.
    """

    name: str
    source: str
    scores: Mapping[str, float]

    def lookup(self, names: Sequence[str]) -> NDArray[np.float64]:
        """Scores (len(names),) of a data set's images, found by path or by the end of a path.

        Raises DataError that names the first image without a score, or with two different ones.
        """
        by_end: dict[str, list[str]] = {}
        for path in self.scores:
            by_end.setdefault(PurePosixPath(path).name, []).append(path)
        values = np.empty(len(names))
        missing: list[str] = []
        for row, name in enumerate(names):
            if name in self.scores:
                values[row] = self.scores[name]
                continue
            candidates = by_end.get(PurePosixPath(name).name, ())
            found = {self.scores[path] for path in candidates if path.endswith("/" + name)}
            if len(found) > 1:
                raise DataError(
                    f"{self.source} has {len(found)} different scores for paths that end in {name!r}: give "
                    "the paths below the data set's root"
                )
            if found:
                values[row] = found.pop()
            else:
                missing.append(name)
        if missing:
            raise DataError(
                f"{self.source} has no score for image {missing[0]!r} ({len(missing)} of {len(names)} images "
                "are missing): score every image of the data set"
            )
        return values


def choose_column(text: str) -> tuple[Path, str]:
    """``FILE`` or ``FILE:COLUMN`` → the file and the column, by default ``score``."""
    head, colon, tail = text.rpartition(":")
    if colon and not _is_file(text) and "/" not in tail and "\\" not in tail:
        return Path(head), tail
    return Path(text), "score"


def read_scores(path: str | Path, name: str, column: str = "score") -> ListedScores:
    """Read a CSV with a header, of which the columns ``path`` and ``column`` count, higher = better.

    Two columns without a header are taken as path and score. An empty score, or ``-inf``, is an image that
    the tool refused (no face, unreadable): it counts as the worst.

    Raises:
        DataError: a file without these columns, or a score that is no plain number; it names the line.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8-sig", errors="surrogateescape") as text:
            return ListedScores(name, str(path), _scores(str(path), csv.reader(text), column))
    except OSError as error:
        raise DataError(
            f"the scores {str(path)!r} can't be read ({error.strerror}): give a CSV path,score"
        ) from error
    except csv.Error as error:
        raise DataError(f"the scores {str(path)!r} are no CSV ({error}): give a CSV path,score") from error


def _scores(file: str, table: Iterator[list[str]], column: str) -> dict[str, float]:
    rows = _numbered(table)
    _, header = next(rows, (0, []))
    if not header:
        raise DataError(f"the scores {file!r} are empty: give a CSV path,score")
    scores: dict[str, float] = {}
    face, is_ours = None, False
    if "path" in header:
        if column not in header:
            raise DataError(f"{file} has no column {column!r}; it has: {shortened(', '.join(header))}")
        at = (header.index("path"), header.index(column))
        face = header.index("face") if "face" in header else None
        is_ours = "status" in header  # then no spreadsheet runs the paths, see ``unescaped``
    elif len(header) == 2 and header[1] and _score(header[1]) is not None:
        at = (0, 1)
        scores[_path(header[0])] = _score(header[1]) or 0.0
    else:
        raise DataError(f"{file} has the columns {shortened(', '.join(header))}: expected path and {column}")
    for line, row in rows:
        if len(row) <= max(at):
            raise DataError(f"{file}, line {line} has {len(row)} fields: expected path and {column}")
        if face is not None and len(row) > face and row[face] not in ("", "0"):
            continue  # the largest face stands for an image
        path = unescaped(row[at[0]]) if is_ours else row[at[0]]
        image, score = _path(path), _score(row[at[1]])
        if score is None:
            raise DataError(
                f"{file}, line {line}: the score of {shortened(image)!r} is {shortened(row[at[1]])!r}; "
                "expected a plain number, or nothing for an image that has none"
            )
        if scores.setdefault(image, score) != score:
            raise DataError(f"{file}, line {line}: {shortened(image)!r} has two different scores")
    return scores


def _numbered(table: Iterator[list[str]]) -> Iterator[tuple[int, list[str]]]:
    """(line of the file, fields) of every row that is not blank."""
    for row in table:
        if row:
            yield getattr(table, "line_num", 0), row


def _path(text: str) -> str:
    return text.replace("\\", "/").removeprefix("./")


def _score(text: str) -> float | None:
    """The number, −inf for an image without one, None for a text that is none."""
    if not text.strip() or text.strip().lower() in ("-inf", "-infinity"):
        return -math.inf
    try:
        return specs.number(text)
    except ValueError:
        return None


def _is_file(text: str) -> bool:
    try:
        return Path(text).exists()
    except OSError:  # a name of more than 255 bytes
        return False
