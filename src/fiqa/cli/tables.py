"""Qualities in → a table on a terminal: a face takes one line, the worst and the best are easy to see."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .common import printable

if TYPE_CHECKING:
    from ..calibration import Calibration, Gate, Profile
    from ..scorer import Scorer
    from ..types import Quality

_PATH, _GAP = 0, 2  # the column that gives way on a narrow terminal; spaces between columns
_LEAST_PATH = 12
_REFUSED = 0.2  # red: what a gate refuses that lets 80 % of the reference images pass


def print_table(qualities: Iterable[Quality], scorer: Scorer, gate: Gate | None = None) -> int:
    """Print one line per face and return how many inputs were not scored.

    Green is a score at or above the profile's loosest FNMR gate, red one below its gate that discards about
    a fifth of the reference images; with ``NO_COLOR`` set, or into a file, there is no colour.
    """
    from rich.cells import cell_len
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    marks = Marks(scorer.calibration)
    scored_by = f"score by\n{scorer.scored_by}" if scorer.scored_by else "score"
    explains = scorer.policy is not None
    more = [*(["accepted"] if gate else []), *(["reasons"] if explains else [])]
    header = ["path", "face", "status", scored_by, *scorer.specs, *more]
    rows, styles, failed = [], [], 0
    for quality in qualities:
        failed += not quality.ok
        verdict = ["yes" if gate.accepts(quality) else "no"] if gate else []
        codes = [", ".join(reason.code for reason in quality.reasons)] if explains else []
        rows.append([*_cells(quality, scorer.specs), *verdict, *codes])
        styles.append(marks.style(quality.score) if quality.ok else "dim")
    console = Console()
    words = [[name.split("\n") for name in header], *([[cell] for cell in row] for row in rows)]
    widths = [max(cell_len(line) for row in words for line in row[i]) for i in range(len(header))]
    taken = sum(widths[1:]) + _GAP * len(widths[1:])
    room = max(_LEAST_PATH, console.width - taken - _GAP)
    table = Table(box=None, header_style="bold", padding=(0, _GAP, 0, 0))
    for i, name in enumerate(header):
        left = name in ("path", "status", "reasons")
        table.add_column(escape(name), justify="left" if left else "right", overflow="fold", no_wrap=i > 0)
    for row, style in zip(rows, styles, strict=True):
        table.add_row(*(escape(cell) for cell in (shortened(row[_PATH], room), *row[1:])), style=style)
    console.print(table)
    if rows and marks.legend:
        console.print(marks.legend, style="dim", highlight=False)
    return failed


def print_rows(names: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Print rows under their names; numbers stand to the right, what is too long goes on below."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    found = list(rows)
    numbers = [all(isinstance(values[name], int | float) for values in found) for name in names]
    table = Table(box=None, header_style="bold", padding=(0, _GAP, 0, 0))
    for name, number in zip(names, numbers, strict=True):
        table.add_column(escape(name), justify="right" if number else "left", overflow="fold")
    for values in found:
        table.add_row(*(escape(_shown(values[name])) for name in names))
    console.print(table)


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.2f}"
    return "" if value is None else printable(str(value))


def print_gates(profile: Profile) -> None:
    """Print where each calibration of a profile puts its gates, with their intervals over subjects."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from ..calibration import GATE_COLUMNS, gate_rows

    table = Table(box=None, header_style="bold", padding=(0, _GAP, 0, 0))
    for name in GATE_COLUMNS:
        table.add_column(name, justify="left" if name in ("method", "gate") else "right", overflow="fold")
    last = ""
    for spec, *cells in gate_rows(profile):
        if last and spec != last:
            table.add_section()
        table.add_row("" if spec == last else escape(spec), *cells)
        last = spec
    Console(width=None if sys.stdout.isatty() else 140).print(table)
    print(f"{profile.model}: {profile.source}")


class Marks:
    """The colours of scores, by the gates of the calibration that made them."""

    def __init__(self, calibration: Calibration | None) -> None:
        gates = calibration.thresholds if calibration is not None else ()
        passing = max((g for g in gates if g.kind == "fnmr"), key=lambda g: g.target, default=None)
        refused = min(
            (g for g in gates if g.kind == "discard"), key=lambda g: abs(g.target - _REFUSED), default=None
        )
        self._best = passing.score if passing else None
        self._worst = refused.score if refused else None
        said = []
        if passing:
            said.append(f"green from {passing.score:.0f} (FNMR {passing.target:.0%})")
        if refused:
            said.append(f"red below {refused.score:.0f} (the lowest {refused.target:.0%})")
        self.legend = ", ".join(said)

    def style(self, score: float | None) -> str | None:
        """A style of rich for a score, or None for one that is neither good nor bad."""
        if score is not None and self._best is not None and score >= self._best:
            return "green"
        if score is not None and self._worst is not None and score < self._worst:
            return "red"
        return None


def shortened(path: str, width: int) -> str:
    """A path in at most ``width`` cells if its file name allows: the middle goes, the name stays whole.

    >>> shortened("photos/2026/november/upload-17/face.jpg", 24)
    'photos/2026/no…/face.jpg'
    """
    from rich.cells import cell_len, set_cell_size

    if cell_len(path) <= width:
        return path
    folder, name = os.path.split(path)
    room = width - cell_len(name) - 2  # for the dots and the slash
    if not folder or room < 0:
        return name
    return f"{set_cell_size(folder, room).rstrip()}…/{name}"


def _cells(quality: Quality, specs: Sequence[str]) -> list[str]:
    path = printable(quality.path or "")
    if not quality.ok:
        return [path, "", quality.status, "", *("" for _ in specs)]
    score = "" if quality.score is None else f"{quality.score:.1f}"
    return [path, str(quality.face_index), "ok", score, *(_number(quality.raw.get(spec)) for spec in specs)]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
