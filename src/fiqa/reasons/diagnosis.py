"""A photo's facts, a face and its crop in → reasons and the numbers behind them out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from ..types import Face, ImageArray, Measured, Reason
from .advice import Code
from .geometry import Photo, measure_head
from .light import luma_of, measure_light
from .policy import Policy
from .texture import direction, measure_texture

DIRECTED = 1.4
"""Blur of more than this, as of ``texture.direction``, has a direction: ``motion`` is said of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What is wrong with a face, as far as it can be measured.

    Attributes:
        reasons: in the order of ``CODES``: what spoils the other measures comes first.
        measures: name → number.
    """

    reasons: tuple[Reason, ...] = ()
    measures: Mapping[str, Measured] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """One measure with a limit: ``bound`` says whether it is the most or the least that is well."""

    code: Code
    measure: str
    bound: Literal["most", "least"] = "most"
    limit: str  # the policy's name for it

    def missed(self, value: float, limit: float) -> bool:
        return abs(value) > limit if self.bound == "most" else value < limit


def _rule(
    code: Code, measure: str, bound: Literal["most", "least"] = "most", limit: str | None = None
) -> _Rule:
    return _Rule(code=code, measure=measure, bound=bound, limit=limit or code)


RULES: tuple[_Rule, ...] = (
    _rule("over_exposure", "highlights"),
    _rule("under_exposure", "brightest", "least"),
    _rule("compression", "block_steps"),
    _rule("compression", "jpeg_quality", "least", "jpeg_quality"),
    _rule("cut_off", "edge_distance", "least"),
    _rule("blank_area", "blank_area"),
    _rule("noise", "noise"),
    _rule("resolution", "eye_distance", "least"),
    _rule("sharpness", "blur"),
    _rule("too_close", "head_size"),
    _rule("yaw", "yaw"),
    _rule("pitch", "pitch"),
    _rule("roll", "roll"),
    _rule("uneven_light", "side_ratio"),
    _rule("low_contrast", "contrast", "least"),
    _rule("several_faces", "single_face"),
)
"""What is looked for, in the order of ``CODES``."""

FOLLOWS: dict[str, tuple[str, ...]] = {"cut_off": ("blank_area",), "resolution": ("sharpness",)}
"""Code → what follows from it and is no reason of its own."""


def diagnose(
    photo: Photo | None, face: Face | None, crop: ImageArray, policy: Policy | None = None
) -> Diagnosis:
    """Measure a crop and the face that it was cut around, and compare with the limits.

    Args:
        photo: what is known of the photo; None: nothing, so edges and other faces give no reason.
        face: the face in the photo; None: the input was a crop, so that pose and size give no reason.
        crop: (112, 112, 3) uint8 RGB.
        policy: the limits; None: the defaults.
    """
    policy = policy or Policy()
    luma = luma_of(crop)
    measures = measure_light(crop, luma) | measure_texture(crop, luma)
    if face is not None:
        measures |= measure_head(photo, face)
    if photo is not None and photo.jpeg_quality is not None:
        measures["jpeg_quality"] = Measured(value=float(photo.jpeg_quality), unit="of 100")
    found = _missed(measures, policy)
    if "sharpness" in found:
        measures["direction"] = Measured(value=direction(luma), unit="log10 of power")
        if measures["direction"].value > DIRECTED:
            found["sharpness"] = replace(found["sharpness"], advice=policy.sentence("motion"))
    return Diagnosis(reasons=tuple(found.values()), measures=measures)


def _missed(measures: Mapping[str, Measured], policy: Policy) -> dict[str, Reason]:
    """Code → reason, in their order, of the limits that are missed."""
    found: dict[str, Reason] = {}
    for rule in RULES:
        measure, limit = measures.get(rule.measure), getattr(policy, rule.limit)
        if measure is None or limit is None or rule.code in found or not rule.missed(measure.value, limit):
            continue
        found[rule.code] = Reason(
            code=rule.code,
            value=measure.value,
            limit=limit,
            unit=measure.unit,
            component=measure.component,
            advice=policy.sentence(rule.code),
        )
    follows = {other for code, others in FOLLOWS.items() if code in found for other in others}
    return {code: reason for code, reason in found.items() if code not in follows}


def unexplained(score: float | None, policy: Policy) -> tuple[Reason, ...]:
    """What to say of a low score for which nothing measured is a cause; nothing if it is not low."""
    limit = policy.unexplained
    if score is None or limit is None or score >= limit:
        return ()
    said = policy.sentence("unexplained")
    return (Reason(code="unexplained", value=score, limit=limit, unit="score of 100", advice=said),)


def no_face(policy: Policy) -> Reason:
    """What to say of a photo in which no face was found."""
    return Reason(code="no_face", advice=policy.sentence("no_face"))
