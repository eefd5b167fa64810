"""What the routes answer: the schemas of the OpenAPI document, and qualities written by them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal

from pydantic import BaseModel, Field

from ..types import Quality, Status


class FaceAnswer(BaseModel):
    """Where a face is in the upright photo."""

    box: tuple[float, float, float, float] = Field(description="left, top, right, bottom in pixels")
    landmarks: list[tuple[float, float]] = Field(
        description="x, y in pixels: left eye, right eye, nose tip, left and right mouth corner"
    )
    confidence: float = Field(ge=0, le=1, description="the detector's own score, higher = surer")
    rotation: Literal[0, 90, 180, 270] = Field(
        description="degrees clockwise by which the photo has to be turned for this face to stand upright"
    )


class ReasonAnswer(BaseModel):
    """Why a face may be less useful than it could be, and what to do about it."""

    code: str = Field(description="for programs; docs/reasons.md lists all")
    value: float | None = Field(description="what was measured; null for a reason that is no number")
    limit: float | None = Field(description="the limit that it missed")
    unit: str = Field(description="what value and limit count")
    component: str | None = Field(description="of ISO/IEC 29794-5, if it is one")
    advice: str = Field(description="one imperative sentence for a person")


class MeasuredAnswer(BaseModel):
    """One number that the reasons were drawn from; it is no part of the score."""

    value: float
    unit: str
    component: str | None = Field(description="of ISO/IEC 29794-5, if it is one")
    scalar: int | None = Field(description="the component's value from 0 to 100, higher = better")


class QualityAnswer(BaseModel):
    """The quality of one face, or why there is none."""

    image: int = Field(ge=0, description="which of the request's images, from 0")
    name: str | None = Field(description="the image's file name, where the form gave one")
    status: Status
    score: float | None = Field(ge=0, le=100, description="calibrated, higher = better; null unless ok")
    scored_by: str | None = Field(description="the method behind the score")
    raw: dict[str, float] = Field(description="each method's own number, higher = better")
    reason: str = Field(description="one sentence on why there is no score, or a remark")
    face: FaceAnswer | None = Field(description="null for an image that was a crop, or without a face")
    face_index: int = Field(ge=0, description="0 for the largest face, 1 for the next")
    used: dict[str, str] = Field(description="each method with all its options")
    maps: dict[str, list[list[float]]] | None = Field(
        default=None, description="patch maps as rows of columns, higher = more useful; with maps=true"
    )
    reasons: list[ReasonAnswer] | None = Field(
        default=None,
        description="the most likely cause first; with reasons=true. They never change the score",
    )
    measures: dict[str, MeasuredAnswer] | None = Field(
        default=None, description="what the reasons were drawn from; with reasons=true"
    )
    embedding: list[float] | None = Field(
        default=None, description="the recognition embedding, where this server gives it out"
    )


class ScoreAnswer(BaseModel):
    """One result per image, or per face with all_faces."""

    results: list[QualityAnswer]


class GateAnswer(BaseModel):
    """A gate on the scale from 0 to 100."""

    rule: str = Field(description="as it was read, in its shortest form")
    score: float = Field(ge=0, le=100, description="the least score that is accepted")
    low: float | None = Field(description="95 % interval of score, over subjects; null for a plain score")
    high: float | None = Field(description="95 % interval of score, over subjects; null for a plain score")
    discarded: float | None = Field(description="share of the reference images that it refuses")


class JudgedAnswer(QualityAnswer):
    """A quality and whether it passed."""

    accepted: bool


class GatedAnswer(BaseModel):
    """One result per image, and the gate that it was held against."""

    gate: GateAnswer
    results: list[JudgedAnswer]


class MethodAnswer(BaseModel):
    """A method that this server runs."""

    method: str = Field(description="as requests name it")
    used: str = Field(description="with all its options")
    summary: str
    source: str
    map: str | None = Field(description="what its patch map shows; null where it has none")
    scores: bool = Field(description="whether the score from 0 to 100 comes from it")


class MethodsAnswer(BaseModel):
    """The methods that this server runs, all in one pass."""

    methods: list[MethodAnswer]


class LimitsAnswer(BaseModel):
    """What one request may cost."""

    max_bytes: int = Field(description="of a body")
    max_pixels: int = Field(description="of an image; a larger one has the status too_large")
    body_seconds: float = Field(description="within which a body must have come")
    decode_seconds: float | None = Field(description="after which an image is given up")
    max_images: int = Field(description="of a request")
    max_in_flight: int = Field(description="images on their way at a time; more get 503")


class ModelAnswer(BaseModel):
    """What scores here."""

    name: str
    version: str = Field(description="of fiqa")
    engine: str
    align: str
    methods: list[str]
    scored_by: str | None
    meaning: str | None = Field(description="what a score says")
    gates: list[str] = Field(description="that /v1/gate knows beside plain scores")
    embedding: int = Field(description="length of the embedding that is given out; 0: none is")
    source: str
    licence: str
    sha256: str
    limits: LimitsAnswer


class HealthAnswer(BaseModel):
    """Whether the process lives, or takes images."""

    status: Literal["ok"]


class Error(BaseModel):
    """What is wrong."""

    code: str = Field(description="for programs")
    message: str = Field(description="one sentence for people: rule, value, remedy")


class ErrorAnswer(BaseModel):
    """The one form of an error, outside /v2."""

    error: Error
    request_id: str


def as_answer(
    quality: Quality,
    *,
    image: int,
    name: str | None,
    methods: Collection[str],
    maps: bool,
    reasons: bool,
    embedding: bool,
) -> dict[str, Any]:
    """A quality as the values of a :class:`QualityAnswer`.

    Args:
        quality: what was found.
        image: number of its image in the request.
        name: of that image.
        methods: specs whose numbers and maps are given.
        maps: with the patch maps.
        reasons: with the reasons, and what they were drawn from.
        embedding: with the embedding, if the quality has one.
    """
    values = {"image": image, "name": name, **quality.to_dict()}
    del values["path"]
    if not reasons:
        del values["reasons"], values["measures"]
    for field in ("raw", "used"):
        values[field] = {spec: value for spec, value in values[field].items() if spec in methods}
    if maps:
        values["maps"] = {spec: one.tolist() for spec, one in quality.maps.items() if spec in methods}
    if embedding and quality.embedding is not None:
        values["embedding"] = quality.embedding.tolist()
    return values
