"""A quality in → a row of the result table out: the one place that says which columns there are."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ..calibration import Gate, round_raw, round_score
from ..errors import UsageError
from ..types import Face, Quality
from .crops import crop_name

Row = dict[str, Any]
Kind = Literal["text", "whole", "integer", "number", "truth", "numbers", "points", "reasons", "measures"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a sink knows of a column.

    Attributes:
        name: its header.
        kind: ``text``, ``whole`` (a small whole number), ``integer`` (one of 64 bits), ``number``, ``truth``,
            ``numbers`` (a list of them), ``points`` (a list of x, y), ``reasons`` (a list of records, in CSV
            their codes) or ``measures`` (a list of records).
        in_csv: whether CSV has it too, beside JSON lines and Parquet.
    """

    name: str
    kind: Kind
    in_csv: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Column(Header):
    """One column of the result table.

    Attributes:
        of: quality → the value, JSON-safe; None where there is none.
    """

    of: Callable[[Quality], Any]


def columns(
    specs: Sequence[str], *, crops: bool = False, reasons: bool = False, gate: Gate | None = None
) -> tuple[Column, ...]:
    """The table's columns, in order; CSV leaves out the last, lists among them.

    Args:
        specs: the method specs, a column each.
        crops: whether crops are saved, so that a column states their names.
        reasons: whether there are columns of what may be wrong with a face.
        gate: what decides the column ``accepted``; without one there is none.

    Raises:
        UsageError: a method has the name of another column.
    """
    found = (
        Column(name="path", kind="text", of=lambda quality: quality.path or ""),
        Column(name="face", kind="whole", of=_face_number),
        Column(name="status", kind="text", of=lambda quality: quality.status),
        Column(name="score", kind="number", of=_score),
        *(_method(spec) for spec in specs),
        *(_side(name, place) for place, name in enumerate(("left", "top", "right", "bottom"))),
        _of_face("confidence", "number", lambda face: _rounded(face.confidence, 4)),
        _of_face("eye_distance", "number", lambda face: _rounded(face.eye_distance, 2)),
        _of_face("rotation", "whole", lambda face: getattr(face, "rotation", 0)),
        Column(name="reason", kind="text", of=lambda quality: quality.reason),
        *([Column(name="accepted", kind="truth", of=gate.accepts)] if gate is not None else ()),
        *(_REASONS if reasons else ()),
        *([Column(name="crop", kind="text", of=_crop)] if crops else ()),
        _of_face("box", "numbers", lambda face: [_rounded(side, 2) for side in face.box], in_csv=False),
        _of_face("landmarks", "points", _landmarks, in_csv=False),
        Column(name="scored_by", kind="text", of=lambda quality: quality.scored_by, in_csv=False),
        *([_MEASURES] if reasons else ()),
    )
    names = [column.name for column in found]
    for spec in specs:
        if names.count(spec) > 1:
            raise UsageError(f"a method can't be called {spec!r}: the table has a column of that name")
    return found


def row(quality: Quality, of: Sequence[Column]) -> Row:
    """One table row: column name → value. Numbers are rounded the same in all formats."""
    return {column.name: column.of(quality) for column in of}


def check_carried(of: Sequence[Header], carried: Sequence[Header]) -> None:
    """Refuse columns of a list that would take the name of a column of the table.

    Raises:
        UsageError: one does.
    """
    names = {column.name for column in of}
    for column in carried:
        if column.name in names:
            raise UsageError(
                f"the list has a column {column.name!r}, which is one of the result's own: rename it there"
            )


def carried_row(values: Mapping[str, Any], carried: Sequence[Header]) -> Row:
    """What a row carries of its list: column name → value, None where that list has no such column."""
    return {
        column.name: _as_text(values.get(column.name)) if column.kind == "text" else values.get(column.name)
        for column in carried
    }


def _as_text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else str(value)


def _score(quality: Quality) -> float | None:
    return None if quality.score is None else round_score(quality.score)


def _method(spec: str) -> Column:
    def value(quality: Quality) -> float | None:
        raw = quality.raw.get(spec)
        return round_raw(raw) if quality.ok and raw is not None and math.isfinite(raw) else None

    return Column(name=spec, kind="number", of=value)


def _of_face(name: str, kind: Kind, of: Callable[[Face], Any], *, in_csv: bool = True) -> Column:
    """A column that is empty where the input was a crop already, or where there is no face."""

    def value(quality: Quality) -> Any:
        return None if quality.face is None else of(quality.face)

    return Column(name=name, kind=kind, of=value, in_csv=in_csv)


def _side(name: str, place: int) -> Column:
    return _of_face(name, "number", lambda face: _rounded(face.box[place], 2))


def _first_advice(quality: Quality) -> str:
    return quality.reasons[0].advice if quality.reasons else ""


def _significant(value: float | None) -> float | None:
    return None if value is None else round_raw(value)


def _reasons(quality: Quality) -> list[Row]:
    return [asdict(reason) | {"value": _significant(reason.value)} for reason in quality.reasons]


def _measures(quality: Quality) -> list[Row]:
    return [
        {"name": name, **asdict(one), "value": _significant(one.value)}
        for name, one in quality.measures.items()
    ]


_REASONS = (
    Column(name="reasons", kind="reasons", of=_reasons),
    Column(name="advice", kind="text", of=_first_advice),
)
_MEASURES = Column(name="measures", kind="measures", of=_measures, in_csv=False)


def _face_number(quality: Quality) -> int | None:
    """Counts the faces of an image from 0."""
    return quality.face_index if quality.ok or quality.face is not None else None


def _crop(quality: Quality) -> str | None:
    return crop_name(quality.path, quality.face_index) if quality.ok else None


def _landmarks(face: Face) -> list[list[float | None]]:
    return [[_rounded(value, 2) for value in point] for point in face.landmarks.tolist()]


def _rounded(value: float | None, digits: int) -> float | None:
    """JSON has no NaN and no infinity: such a value is none."""
    return None if value is None or not math.isfinite(value) else round(float(value), digits)
