"""A result table in → the numbers of its sheet: how scores are spread, who passes, what is worst and best."""

from __future__ import annotations

import heapq
import math
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..calibration import Gate
from ..pipeline.rows import Row
from ..pipeline.selection import grouping
from ..pipeline.tables import ResultTable

N_BINS = 50
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, slots=True, kw_only=True)
class Extreme:
    """A face that is shown.

    Attributes:
        quality: how good it is, higher = better.
        values: its row.
        codes: its reasons, the most likely first.
    """

    quality: float
    values: Row
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """The faces of one folder.

    Attributes:
        name: below the folder of all.
        n_faces: rows.
        n_scored: rows with a score.
        n_passing: rows that pass the gate; None without one.
        quantiles: (5,) of the scores at 5, 25, 50, 75 and 95 %; NaN where there is none.
    """

    name: str
    n_faces: int
    n_scored: int
    n_passing: int | None
    quantiles: NDArray[np.float64]

    @property
    def median(self) -> float:
        """The middle score; NaN where there is none."""
        return float(self.quantiles[2])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Overview:
    """What the faces of a table are like.

    Attributes:
        statuses: status → rows.
        codes: reason → rows that have it; None where the table has no reasons.
        folders: the lowest median first.
        edges, counts: (N_BINS + 1,) and (N_BINS,) of the histogram of scores; empty where there is none.
        median: the middle score; NaN where there is none.
        gate: the gate that was asked about, if any.
        passing: of the gate asked about and then of each of the profile, how many rows pass.
        worst, best: the lowest and the highest scores.
        n_broken: rows that were no whole rows.
    """

    statuses: Counter[str]
    codes: Counter[str] | None
    folders: tuple[Folder, ...]
    edges: NDArray[np.float64]
    counts: NDArray[np.int64]
    median: float
    gate: Gate | None
    passing: tuple[tuple[Gate, int], ...]
    worst: tuple[Extreme, ...]
    best: tuple[Extreme, ...]
    n_broken: int

    @property
    def n_faces(self) -> int:
        """Rows of the table."""
        return self.statuses.total()

    @property
    def n_scored(self) -> int:
        """Rows with a score."""
        return int(self.counts.sum())


@dataclass(slots=True)
class _Folder:
    n_faces: int = 0
    n_passing: int = 0
    scores: array[float] = field(default_factory=lambda: array("d"))


def overview(table: ResultTable, *, gate: Gate | None = None, most: int = 24) -> Overview:
    """Read a table once and count.

    Args:
        table: the table.
        gate: who is good enough, if that is asked.
        most: how many of the worst and of the best faces are kept.
    """
    folder_of = grouping(table)
    gates = [*([gate] if gate else []), *_profile_gates(table, gate)]
    statuses, codes, passing = Counter[str](), Counter[str](), [0] * len(gates)
    folders: dict[str, _Folder] = {}
    worst, best = _Lowest(most), _Lowest(most)
    for number, values in enumerate(table.rows()):
        statuses[values["status"]] += 1
        own = reason_codes(values)
        codes.update(dict.fromkeys(own, 1))
        folder = folders.setdefault(folder_of(values), _Folder())
        folder.n_faces += 1
        passes = [table.passes(one, values) for one in gates]
        passing = [n + one for n, one in zip(passing, passes, strict=True)]
        folder.n_passing += bool(gate) and passes[0]
        quality = table.quality(values) if values["status"] == "ok" else None
        if quality is not None:
            folder.scores.append(quality)
            worst.see(quality, number, values)
            best.see(-quality, number, values)
    found = np.concatenate([np.frombuffer(one.scores) for one in folders.values()] or [np.empty(0)])
    counts, edges = np.histogram(found, N_BINS, _range(found, table.quality_column))
    shown = sorted((_folder(name, one, gate) for name, one in folders.items()), key=_worst_first)
    return Overview(
        statuses=statuses,
        codes=codes if "reasons" in table.names else None,
        folders=tuple(shown),
        edges=edges,
        counts=counts,
        median=float(np.median(found)) if found.size else math.nan,
        gate=gate,
        passing=tuple(zip(gates, passing, strict=True)),
        worst=worst.extremes(1),
        best=best.extremes(-1),
        n_broken=table.n_broken,
    )


def reason_codes(values: Row) -> tuple[str, ...]:
    """The reasons of a row, the most likely first: a list of records, or in CSV their codes."""
    found = values.get("reasons")
    if isinstance(found, str):
        return tuple(filter(None, found.split(";")))
    return tuple(str(one["code"]) for one in found or () if isinstance(one, dict) and "code" in one)


class _Lowest:
    """The rows of the lowest keys; of equals those that come first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._heap: list[tuple[float, int, Row]] = []  # the highest of them first

    def see(self, key: float, number: int, values: Row) -> None:
        push = heapq.heappush if len(self._heap) < self._most else heapq.heappushpop
        if self._most:
            push(self._heap, (-key, -number, values))

    def extremes(self, sign: int) -> tuple[Extreme, ...]:
        """Lowest key first; ``sign``: what makes a quality of a key."""
        return tuple(
            Extreme(quality=sign * -key, values=values, codes=reason_codes(values))
            for key, _, values in sorted(self._heap, key=lambda one: one[:2], reverse=True)
        )


def _profile_gates(table: ResultTable, gate: Gate | None) -> Iterable[Gate]:
    """The gates of the profile that scored the table, but the one that is asked about."""
    thresholds = table.calibration.thresholds if table.calibration is not None else ()
    asked = gate.rule if gate else ""
    return (table.gate(one.rule) for one in thresholds if one.rule != asked)


def _range(found: NDArray[np.float64], column: str) -> tuple[float, float]:
    if column == "score" or not found.size:
        return 0.0, 100.0
    low, high = float(found.min()), float(found.max())
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def _folder(name: str, one: _Folder, gate: Gate | None) -> Folder:
    scores = np.frombuffer(one.scores)
    return Folder(
        name=name,
        n_faces=one.n_faces,
        n_scored=len(scores),
        n_passing=one.n_passing if gate else None,
        quantiles=np.quantile(scores, _QUANTILES) if scores.size else np.full(5, np.nan),
    )


def _worst_first(one: Folder) -> tuple[bool, float, str]:
    return (not math.isnan(one.median), 0.0 if math.isnan(one.median) else one.median, one.name)


def largest(folders: Sequence[Folder], most: int) -> tuple[Folder, ...]:
    """The folders with most faces, in their order."""
    kept = {one.name for one in sorted(folders, key=lambda one: -one.n_faces)[:most]}
    return tuple(one for one in folders if one.name in kept)
