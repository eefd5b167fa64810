"""Many images in → a table out that a kill can't hurt: what to score, the rows, the formats, the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import lazy

if TYPE_CHECKING:
    from .bulk import score_dataset
    from .output import Output
    from .reports import Run
    from .run import score_to
    from .selection import Sorting, rank, sort_files, undo_sort
    from .shards import Share
    from .sources import expand, manifest_of
    from .station import Settings, gate_of
    from .tables import ResultTable

__all__ = [
    "Output",
    "ResultTable",
    "Run",
    "Settings",
    "Share",
    "Sorting",
    "expand",
    "gate_of",
    "manifest_of",
    "rank",
    "score_dataset",
    "score_to",
    "sort_files",
    "undo_sort",
]

__getattr__, __dir__, _ = lazy.attach(
    __name__,
    {
        "bulk": ["score_dataset"],
        "output": ["Output"],
        "reports": ["Run"],
        "run": ["score_to"],
        "selection": ["Sorting", "rank", "sort_files", "undo_sort"],
        "shards": ["Share"],
        "sources": ["expand", "manifest_of"],
        "station": ["Settings", "gate_of"],
        "tables": ["ResultTable"],
    },
)
