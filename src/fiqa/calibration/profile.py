"""From a method's raw score to a number from 0 to 100 that means something.

A ``Profile`` belongs to one model and holds one ``Calibration`` per method spec; it is a small JSON file.
``fiqa.evaluation.fit_profile`` fits them; this room only applies, saves and loads them.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError, UsageError

SCHEMA = 1
Kind = Literal["fnmr", "discard"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """Where to put a gate: images with raw score < ``raw`` are refused.

    Attributes:
        kind: ``"fnmr"``: the FNMR of the mated comparisons that remain is at most ``target``; ``"discard"``:
            the share ``target`` of the images is refused.
        target: the FNMR or the share, in [0, 1].
        raw, score: the same place on the method's own scale and from 0 to 100.
        low, high: the 95 % interval of ``raw``, over subjects.
        discarded: the share of the reference images that the gate refuses, in [0, 1].
    """

    kind: Kind
    target: float
    raw: float
    score: float
    low: float
    high: float
    discarded: float

    def __post_init__(self) -> None:
        if self.kind not in ("fnmr", "discard"):
            raise DataError(f"a threshold's kind must be 'fnmr' or 'discard', but got {self.kind!r}")
        numbers = {name: value for name, value in asdict(self).items() if name != "kind"}
        for name, value in numbers.items():
            object.__setattr__(self, name, _number(f"a threshold's {name}", value))
        if not (0 <= self.target <= 1 and 0 <= self.discarded <= 1 and self.low <= self.raw <= self.high):
            raise DataError(f"a threshold needs shares in [0, 1] and low <= raw <= high, but got {numbers}")

    @property
    def rule(self) -> str:
        """The text that :func:`read_gate` finds it by, such as ``fnmr=1%``."""
        return rule_text(self.kind, self.target)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A strictly rising map from one method's raw score to 0–100, straight lines between its knots.

    Calling it maps ``raw`` (any shape) to float32 of the same shape, higher = better; beyond the outer knots
    the number stays at its end, and NaN stays NaN.

    Attributes:
        spec: the method, resolved, for example ``"exit-depth"``.
        raw, score: (k,) knots, both strictly rising, k ≥ 2; ``score`` within [0, 100].
        meaning: one sentence on what the number says.
        low, high: (k,) the 95 % interval of ``score`` at each knot, over subjects; empty if not known.
        thresholds: gates, see ``Threshold``.

    >>> calibration = Calibration(spec="attn", raw=(0, 1), score=(0, 100), meaning="per cent of the way")
    >>> calibration([-1.0, 0.25, float("nan")]).tolist()
    [0.0, 25.0, nan]
    """

    spec: str
    raw: tuple[float, ...]
    score: tuple[float, ...]
    meaning: str
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    thresholds: tuple[Threshold, ...] = ()

    def __post_init__(self) -> None:
        for name in ("raw", "score", "low", "high"):
            values = tuple(_number(f"a knot of {name}", value) for value in getattr(self, name))
            object.__setattr__(self, name, values)
        object.__setattr__(self, "thresholds", tuple(self.thresholds))
        where = f"the calibration of {self.spec!r}"
        if not all(isinstance(text, str) and text for text in (self.spec, self.meaning)):
            raise DataError(f"{where} must name its method spec and say what its number means")
        if len(self.raw) != len(self.score) or len(self.raw) < 2:
            raise DataError(
                f"{where} has {len(self.raw)} raw and {len(self.score)} score knots; it needs equally many, "
                "at least 2"
            )
        if any(b <= a for knots in (self.raw, self.score) for a, b in pairwise(knots)):
            raise DataError(f"{where} must rise from knot to knot, in raw and in score")
        if self.score[0] < 0 or self.score[-1] > 100:
            ends = f"{self.score[0]:g} to {self.score[-1]:g}"
            raise DataError(f"{where} must stay within 0 and 100, but got {ends}")
        if {len(self.low), len(self.high)} - {0, len(self.raw)}:
            raise DataError(f"{where} must have an interval at each of its {len(self.raw)} knots, or none")

    def __call__(self, raw: ArrayLike) -> NDArray[np.float32]:
        values = np.asarray(raw, np.float64)
        return np.interp(values, self.raw, self.score).astype(np.float32)

    def raw_at(self, score: float) -> float:
        """The raw score that becomes ``score`` (0–100): for a gate at a wanted number."""
        if not 0 <= score <= 100:
            raise UsageError(f"score must be from 0 to 100, but got {score}")
        return float(np.interp(score, self.score, self.raw))

    def threshold(self, kind: Kind, target: float) -> Threshold:
        """The gate stored for a wanted FNMR (``kind="fnmr"``) or discard share (``"discard"``), in [0, 1]."""
        for threshold in self.thresholds:
            if threshold.kind == kind and math.isclose(threshold.target, target):
                return threshold
        known = ", ".join(threshold.rule for threshold in self.thresholds) or "none"
        raise UsageError(
            f"no gate {rule_text(kind, target)} in the calibration of {self.spec!r}; it has: {known}"
        )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Calibration:
        """A calibration from the fields as JSON values; DataError if it is none."""
        try:
            thresholds = tuple(Threshold(**one) for one in values["thresholds"])
            return cls(**{**values, "thresholds": thresholds})
        except (KeyError, TypeError, AttributeError) as error:
            raise DataError(f"the calibration is damaged: {_cause(error)}") from error


@dataclass(frozen=True, slots=True)
class Profile:
    """The calibrations of one model.

    Attributes:
        model: the model's name.
        calibrations: {resolved method spec: Calibration}.
        source: on which data, judged by which recogniser, one sentence.
    """

    model: str
    calibrations: Mapping[str, Calibration] = field(default_factory=dict)
    source: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.model, str) or not isinstance(self.source, str):
            raise DataError("a profile's model and source must be text")
        for spec, calibration in self.calibrations.items():
            if spec != calibration.spec:
                raise DataError(f"the profile lists the calibration of {calibration.spec!r} as {spec!r}")
        object.__setattr__(self, "calibrations", dict(self.calibrations))

    def to_json(self) -> str:
        """The profile as JSON text, readable again by ``from_json`` to the last digit."""
        calibrations = {}
        for spec, calibration in self.calibrations.items():
            calibrations[spec] = {name: v for name, v in asdict(calibration).items() if name != "spec"}
        document = {
            "format": "fiqa-profile",
            "schema": SCHEMA,
            "model": self.model,
            "source": self.source,
            "calibrations": calibrations,
        }
        return json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str, name: str = "the profile") -> Profile:
        """Read a profile; DataError, which names ``name``, if the text is none or one of another schema."""
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            cause = "nested too deep" if isinstance(error, RecursionError) else error
            raise DataError(f"{name} is not JSON ({cause}); make one with fiqa calibrate") from error
        if not isinstance(document, dict) or document.get("format") != "fiqa-profile":
            raise DataError(f"{name} is no calibration profile; make one with fiqa calibrate")
        if document.get("schema") != SCHEMA:
            raise DataError(
                f"{name} has schema {str(document.get('schema'))[:40]} and this version reads {SCHEMA}; "
                "make it anew with fiqa calibrate"
            )
        try:
            calibrations = {
                spec: Calibration.from_dict({"spec": spec, **entry})
                for spec, entry in document["calibrations"].items()
            }
            return cls(document["model"], calibrations, document["source"])
        except DataError as error:
            raise DataError(f"{name}: {error}") from error
        except (KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"{name} is damaged: {_cause(error)}; make it anew with fiqa calibrate"
            ) from error

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the profile to ``path``."""
        Path(path).write_text(self.to_json(), encoding="utf-8")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Profile:
        """Read a profile from ``path``; DataError if there is none or it can't be read."""
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"the profile {os.fspath(path)!r} can't be read: {error}") from error
        return cls.from_json(text, repr(os.fspath(path)))


def rule_text(kind: str, target: float) -> str:
    return f"{kind}={100 * target:.6g}%"


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise DataError(f"{name} must be a number, but got {str(value)[:80]!r}")
    try:
        number = float(value)
    except OverflowError:  # a whole number of hundreds of digits
        number = math.inf
    if not math.isfinite(number):
        raise DataError(f"{name} must be finite, but got {str(value)[:80]}")
    return number


def _cause(error: Exception) -> str:
    return f"it has no {error}" if isinstance(error, KeyError) else str(error)
