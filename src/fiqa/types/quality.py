"""The result for one face, and what explains it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field, fields
from typing import Any, Literal, TypeVar, get_args

import numpy as np

from ..errors import UsageError
from .crops import FloatArray, ImageArray
from .face import Face
from .plain import plain

V = TypeVar("V")
Status = Literal["ok", "no_face", "unreadable", "too_large", "missing", "failed"]
STATUSES: tuple[str, ...] = get_args(Status)


class BySpec(dict[str, V]):
    """Method spec as given → what it gave; one that was not asked for is answered with those that were."""

    def __missing__(self, spec: str) -> V:
        there = ", ".join(map(repr, self)) or "no method"
        raise KeyError(f"there is nothing of {spec!r} here, but of {there}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One number that explains a quality; it is no part of the score.

    Attributes:
        value: the raw number, in ``unit``; which direction is better depends on the measure.
        unit: what it counts, such as ``"px"`` or ``"degrees"``.
        component: the quality component of ISO/IEC 29794-5 that this is; None for a measure of our own.
        scalar: the component's value from 0 to 100, higher = better; None where the standard has none.
    """

    value: float
    unit: str
    component: str | None = None
    scalar: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a face may be less useful than it could be, and what to do about it.

    Attributes:
        code: a word for programs, such as ``"under_exposure"``; ``fiqa.reasons.CODES`` has all.
        value: what was measured, in ``unit``; None for a reason that is no number.
        limit: the limit of the policy that it missed; None where there is no value.
        unit: what value and limit count; empty where there is no value.
        component: the quality component of ISO/IEC 29794-5 that was measured; None for a measure of our own.
        advice: one imperative sentence for a person.
    """

    code: str
    value: float | None = None
    limit: float | None = None
    unit: str = ""
    component: str | None = None
    advice: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Quality:
    """The result for one face, or for one input that gave none; equality leaves the arrays aside.

    Attributes:
        status: ``"ok"``, ``"no_face"``, ``"unreadable"``, ``"too_large"``, ``"missing"``, or ``"failed"`` for
            what may go better another time (out of memory or time, a network that gives no finite number).
        score: calibrated quality in [0, 100], higher = better; None unless ``ok``, and None for a model that
            has no calibration profile.
        scored_by: the method spec as given whose raw number became ``score``; None where there is no score.
        raw: method spec as given → the paper's own number, higher = better.
        reason: one sentence on why there is no score, or a remark on what is missing of the picture; empty
            otherwise.
        path: the input's path, if it had one.
        face: where the face is in the upright photo; None for an input that was already a crop.
        face_index: 0 for the largest face, 1 for the next, …
        used: method spec as given → the fully resolved spec that was run (settings, and depth in a budget).
        maps: method spec as given → (rows, columns) float32 patch map, higher = more useful.
        embedding: (E,) float32 recognition embedding, not normalised, if it was asked for.
        crop: the (112, 112, 3) uint8 RGB crop that was scored.
        reasons: why the face may be less useful than it could be, the most likely cause first; empty if
            nothing is wrong or reasons were not asked for. They never change the score.
        measures: name → what the reasons were drawn from; empty if reasons were not asked for.
    """

    status: str
    _: KW_ONLY
    score: float | None = None
    scored_by: str | None = None
    raw: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""
    path: str | None = None
    face: Face | None = None
    face_index: int = 0
    used: Mapping[str, str] = field(default_factory=dict)
    maps: Mapping[str, FloatArray] = field(default_factory=dict, compare=False)
    embedding: FloatArray | None = field(default=None, compare=False)
    crop: ImageArray | None = field(default=None, compare=False)
    reasons: tuple[Reason, ...] = ()
    measures: Mapping[str, Measured] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise UsageError(f"status must be one of {', '.join(STATUSES)}, but got {self.status!r}")
        if self.score is not None and not 0 <= self.score <= 100:
            raise UsageError(f"score must be in [0, 100], but got {self.score}")
        for name in ("raw", "used", "maps"):
            object.__setattr__(self, name, BySpec(getattr(self, name)))

    def __repr__(self) -> str:
        said = [self.status, *([f"{self.score:.1f} by {self.scored_by}"] if self.score is not None else [])]
        said += [f"{spec}={value:.6g}" for spec, value in self.raw.items()]
        said += [reason.code for reason in self.reasons]
        said += [f"{name}={value!r}" for name in ("path", "reason") if (value := getattr(self, name))]
        return f"Quality({', '.join(said)})"

    @property
    def ok(self) -> bool:
        """Whether the face was scored."""
        return self.status == "ok"

    def to_dict(self, *, arrays: bool = False) -> dict[str, Any]:
        """The result as JSON values; :meth:`from_dict` is the inverse.

        Args:
            arrays: with patch maps, embedding and crop, as nested lists.
        """
        left_out = () if arrays else ("maps", "embedding", "crop")
        return {f.name: plain(getattr(self, f.name)) for f in fields(self) if f.name not in left_out}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Quality:
        """A result from what :meth:`to_dict` gave."""
        face, maps = values.get("face"), values.get("maps", {})
        arrays = {
            name: None if values.get(name) is None else np.asarray(values[name], dtype)
            for name, dtype in (("embedding", np.float32), ("crop", np.uint8))
        }
        return cls(
            **{
                **values,
                **arrays,
                "face": None if face is None else Face.from_dict(face),
                "maps": {spec: np.asarray(one, np.float32) for spec, one in maps.items()},
                "reasons": tuple(Reason(**one) for one in values.get("reasons", ())),
                "measures": {name: Measured(**one) for name, one in values.get("measures", {}).items()},
            }
        )

    def patch_map(self, method: str) -> FloatArray:
        """(rows, columns) float32 map of a method, higher = more useful; UsageError if it has none."""
        try:
            return self.maps[method]
        except KeyError:
            have = ", ".join(self.maps) or "none"
            raise UsageError(f"no patch map of {method!r} here; maps: {have}") from None
