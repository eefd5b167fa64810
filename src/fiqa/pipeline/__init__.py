"""Many images in → a table out that a kill can't hurt: what to score, the rows, the formats, the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import lazy

if TYPE_CHECKING:
    from .output import Output
    from .run import Run, gate_of, manifest_of, score_to
    from .selection import Sorting, rank, sort_files, undo_sort
    from .sources import expand
    from .tables import ResultTable

__all__ = [
    "Output",
    "ResultTable",
    "Run",
    "Sorting",
    "expand",
    "gate_of",
    "manifest_of",
    "rank",
    "score_to",
    "sort_files",
    "undo_sort",
]

__getattr__, __dir__, _ = lazy.attach(
    __name__,
    {
        "output": ["Output"],
        "run": ["Run", "gate_of", "manifest_of", "score_to"],
        "selection": ["Sorting", "rank", "sort_files", "undo_sort"],
        "sources": ["expand"],
        "tables": ["ResultTable"],
    },
)
