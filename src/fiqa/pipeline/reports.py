"""What a run says of itself, while it lasts and at its end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..types import Quality

Progress = Callable[[Quality, int, int | None], None]
"""Called with a result whose row is written, the images begun so far, and the images of this run, as far as
they have been counted: those in tars have not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a run did.

    Attributes:
        path: the table.
        n_images: images that were asked for.
        n_before: of these, the images that the table had already.
        n_not_ok: rows of the table whose status is not ``ok``, those of before included.
    """

    path: Path
    n_images: int
    n_before: int
    n_not_ok: int
