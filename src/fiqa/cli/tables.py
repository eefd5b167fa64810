"""Qualities in → a table on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .common import printable

if TYPE_CHECKING:
    from ..scorer import Scorer
    from ..types import Quality


def print_table(qualities: Any, scorer: Scorer) -> int:
    from rich.console import Console
    from rich.table import Table

    table, failed = Table(box=None, header_style="bold"), 0
    for name, justify in (("path", "left"), ("face", "right"), ("status", "left"), ("score", "right")):
        table.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for spec in scorer.specs:
        table.add_column(spec, justify="right")
    for quality in qualities:
        failed += not quality.ok
        table.add_row(*_cells(quality, scorer.specs), style=None if quality.ok else "dim")
    Console().print(table)
    return failed


def _cells(quality: Quality, specs: tuple[str, ...]) -> list[str]:
    from rich.markup import escape

    path = escape(printable(quality.path or ""))
    if not quality.ok:
        return [path, "", quality.status, "", *("" for _ in specs)]
    score = "" if quality.score is None else f"{quality.score:.1f}"
    return [path, str(quality.face_index), "ok", score, *(f"{quality.raw[spec]:.4f}" for spec in specs)]
