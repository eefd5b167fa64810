"""A quality in → a row of the result table out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..types import Quality

FIXED_COLUMNS = ("path", "face", "status", "score")


Row = dict[str, Any]


def columns(specs: Sequence[str]) -> tuple[str, ...]:
    """The table's columns: path, face, status, score, then one a method spec."""
    return (*FIXED_COLUMNS, *specs)


def row(quality: Quality, specs: Sequence[str]) -> Row:
    """One table row. ``face`` counts an image's faces from 0; numbers are rounded the same in all formats."""
    ok = quality.ok
    values: Row = {
        "path": quality.path or "",
        "face": quality.face_index if ok else None,
        "status": quality.status,
        "score": None if quality.score is None else round(quality.score, 2),
    }
    return values | {spec: float(f"{quality.raw[spec]:.6g}") if ok else None for spec in specs}
