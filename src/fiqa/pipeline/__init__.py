"""Many images in → a table out that a kill can't hurt: what to score, the rows, the formats, the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import lazy

if TYPE_CHECKING:
    from .output import Output
    from .run import Run, score_to
    from .sources import expand

__all__ = ["Output", "Run", "expand", "score_to"]

__getattr__, __dir__, _ = lazy.attach(
    __name__,
    {"output": ["Output"], "run": ["Run", "score_to"], "sources": ["expand"]},
)
