"""What decides whether a face is good enough: a score, or a profile's gate with its uncertainty."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import UsageError
from ..specs import as_text, number
from ..types import Quality
from .profile import Calibration, Profile, Threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What decides whether a face is good enough.

    Attributes:
        rule: what it was read from, in its shortest form: ``60``, ``fnmr=1%`` or ``discard=10%``.
        score: from here on a face passes, in [0, 100].
        low, high: the 95 % interval of ``score``, over subjects; None for a number that the caller chose.
        threshold: the profile's own gate behind the rule, with its raw score, the interval of that and the
            share of the reference images that it refuses; None for a number.
    """

    rule: str
    score: float
    low: float | None = None
    high: float | None = None
    threshold: Threshold | None = None

    def __str__(self) -> str:
        if self.threshold is None:
            return f"a score from {self.rule} passes"
        return (
            f"a score from {self.score:.2f} passes ({self.rule}; 95 % interval {self.low:.2f} to "
            f"{self.high:.2f} over subjects; refuses {self.threshold.discarded:.1%} of the reference images)"
        )

    def accepts(self, quality: Quality) -> bool:
        """Whether a face passes; what has no score does not."""
        raw = None if quality.scored_by is None else quality.raw.get(quality.scored_by)
        return quality.ok and self.passes(quality.score, raw)

    def passes(self, score: float | None, raw: float | None = None) -> bool:
        """Whether a score passes.

        Both are compared as the tables hold them, rounded, so that a table is judged like its faces.

        Args:
            score: in [0, 100]; None or NaN passes no gate.
            raw: of the method behind the score, if it is at hand: the gates of a profile are exact on its
                scale, while far down many raw scores have nearly one ``score``.
        """
        if score is None:
            return False
        if self.threshold is not None and raw is not None:
            return round_raw(raw) >= round_raw(self.threshold.raw)
        return round_score(score) >= round_score(self.score)


def read_gate(rule: str, calibration: Calibration | None) -> Gate:
    """The gate that a rule means.

    Args:
        rule: ``60``, a score from 0 to 100; ``fnmr=1%`` (also ``0.01``), the profile's gate behind which at
            most this share of mated comparisons is missed; ``discard=10%``, its gate that refuses this share
            of the reference images.
        calibration: of the method behind the score (:attr:`fiqa.Scorer.calibration`); None: only a number
            can be read.

    Raises:
        UsageError: another text, or a gate that the profile does not have; the message says which it has.

    >>> read_gate(" 60.0 ", None)
    Gate(rule='60', score=60.0, low=None, high=None, threshold=None)
    """
    kind, equals, value = (part.strip() for part in rule.partition("="))
    if not equals:
        score = _read_number(rule, kind)
        if not 0 <= score <= 100:
            raise UsageError(f"a gate must be a score from 0 to 100, but got {rule!r}")
        return Gate(rule=as_text(score), score=score)
    if kind not in ("fnmr", "discard"):
        raise UsageError(_gate_forms(rule))
    share = _read_number(rule, value.removesuffix("%")) / (100 if value.endswith("%") else 1)
    if not 0 <= share < 1:
        raise UsageError(f"the share of a gate must be below 1, as in 0.01 or 1%, but got {rule!r}")
    if calibration is None:
        raise UsageError(
            f"the gate {rule!r} stands in a calibration, and there is none: "
            "give a score from 0 to 100, or make a profile with 'fiqa calibrate'"
        )
    found = calibration.threshold("fnmr" if kind == "fnmr" else "discard", share)
    low, high = (float(calibration(end)) for end in (found.low, found.high))
    return Gate(rule=found.rule, score=found.score, low=low, high=high, threshold=found)


def round_score(score: float) -> float:
    """A score from 0 to 100 as every table holds it: two digits after the point."""
    return round(float(score), 2)


def round_raw(raw: float) -> float:
    """A raw score as every table holds it: six significant digits."""
    return float(f"{raw:.6g}")


def _read_number(rule: str, text: str) -> float:
    try:
        return number(text)
    except ValueError:
        raise UsageError(_gate_forms(rule)) from None


def _gate_forms(rule: str) -> str:
    return f"a gate must be a score such as 60, or fnmr=1%, or discard=10%, but got {rule!r}"


GATE_COLUMNS = ("method", "gate", "score", "raw", "95 % interval of raw", "discards")
"""The columns of :func:`gate_rows`."""


def gate_rows(profile: Profile) -> list[tuple[str, ...]]:
    """The gates of a profile as rows of a table, with the columns ``GATE_COLUMNS``.

    >>> gate = Threshold(kind="fnmr", target=0.05, raw=1, score=30, low=0.9, high=1.2, discarded=0.04)
    >>> known = Calibration(spec="attn", raw=(0, 9), score=(0, 99), meaning="…", thresholds=(gate,))
    >>> gate_rows(Profile("mine", {"attn": known}))
    [('attn', 'FNMR at most 5.0%', '30.0', '1', '0.9 – 1.2', '4.0%')]
    """
    names = {"fnmr": "FNMR at most", "discard": "discards"}
    return [
        (
            calibration.spec,
            f"{names[gate.kind]} {gate.target:.1%}",
            f"{gate.score:.1f}",
            f"{gate.raw:.4g}",
            f"{gate.low:.4g} – {gate.high:.4g}",
            f"{gate.discarded:.1%}",
        )
        for calibration in profile.calibrations.values()
        for gate in calibration.thresholds
    ]
