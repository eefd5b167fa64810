"""The limits beyond which a measure becomes a reason, and what a gate may refuse on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields

from ..errors import UsageError, unknown
from ..types import Reason
from .advice import ADVICE

EXPOSURE = frozenset({"over_exposure", "under_exposure", "uneven_light", "low_contrast"})
"""Codes that are known to discard dark skin more; a gate ignores them unless asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One limit a reason; None: never give this one. Where each comes from stands in ``docs/reasons.md``.

    Attributes:
        over_exposure: most, as a share of the face, that is burnt out: every channel at 250 or more.
        under_exposure: least 99th percentile of the face's luma, of 255.
        compression: most ratio of steps on the crop's 8-pixel grid to other steps.
        jpeg_quality: least quality, 1 to 100, of the JPEG file that the photo is.
        cut_off: least distance from an eye, and below from the nose, to the photo's edge, in eye distances.
        blank_area: most, as a share of the crop, that is one patch without any structure.
        noise: most standard deviation of the crop's noise, in grey levels of 255.
        resolution: least pixels between the eyes in the photo.
        sharpness: most blur of the crop, from 0 (sharp) to 1.
        too_close: most distance from eyes to chin, as a share of the photo's height.
        yaw: most distance of the nose from the axis of the face, in eye distances, to either side.
        pitch: most shift of the nose along the axis of the face, as a share of the way from eyes to mouth.
        roll: most degrees of the head's tilt to either side.
        uneven_light: most difference of light between the face's sides, in photographic stops.
        low_contrast: least contrast (p95 − p5)/(p95 + p5) of the face's luma.
        several_faces: most area of the second largest face, as a share of the largest.
        unexplained: a score below this, from 0 to 100, for which nothing measured is a cause.
        gate_exposure: whether a gate also refuses on the codes in ``EXPOSURE``.
        advice: code → sentence in place of the English one, for those codes that it names.

    Raises:
        UsageError: a limit is not a finite number from 0 up.
        UnknownName: ``advice`` names no code.
    """

    over_exposure: float | None = 0.10
    under_exposure: float | None = 60.0
    compression: float | None = 2.5
    jpeg_quality: float | None = 20.0
    cut_off: float | None = 0.9
    blank_area: float | None = 0.20
    noise: float | None = 8.0
    resolution: float | None = 24.0
    sharpness: float | None = 0.66
    too_close: float | None = 0.55
    yaw: float | None = 0.35
    pitch: float | None = None
    roll: float | None = 30.0
    uneven_light: float | None = 1.75
    low_contrast: float | None = 0.15
    several_faces: float | None = 0.8
    unexplained: float | None = 50.0
    gate_exposure: bool = False
    advice: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, limit in self.limits().items():
            if limit is None or (type(limit) in (int, float) and math.isfinite(limit) and limit >= 0):
                continue
            raise UsageError(f"{name} must be a number from 0 up, or None for no limit, but got {limit!r}")
        for code in self.advice:
            if code not in ADVICE:
                raise unknown("code", code, ADVICE)

    @classmethod
    def icao(cls) -> Policy:
        """Limits of travel documents, where published: 90 px between the eyes, roll 8°, no second face."""
        return cls(resolution=90.0, roll=8.0, several_faces=0.0)

    def limits(self) -> dict[str, float | None]:
        """Name → limit, without what is none."""
        return {
            f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("gate_exposure", "advice")
        }

    def refused(self, reasons: Iterable[Reason]) -> tuple[Reason, ...]:
        """Those of ``reasons`` that a gate may refuse on: without exposure and contrast unless asked."""
        return tuple(reason for reason in reasons if self.gate_exposure or reason.code not in EXPOSURE)

    def sentence(self, code: str) -> str:
        """The advice for a code."""
        return self.advice.get(code, ADVICE[code])
