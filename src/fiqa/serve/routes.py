"""The routes of ``/v1``, and those that tell how the server does."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import JSONResponse, Response

from .. import __version__
from ..calibration import read_gate
from ..errors import UsageError, unknown
from ..measures import CROP_MEASURES
from ..methods import METHODS
from ..pages import notice, portrait
from ..specs import split
from ..types import Quality
from . import answers
from .bodies import OPENAPI_BODY, read_image, read_images
from .metrics import CONTENT_TYPE
from .problems import Problem, busy
from .service import Service, service_of

_IMAGE: dict[str, Any] = {"requestBody": OPENAPI_BODY}
_PICTURE: dict[str, Any] = {
    "content": {"image/png": {"schema": {"type": "string", "format": "binary"}}},
    "headers": {
        "x-fiqa-status": {"schema": {"type": "string"}, "description": "the image's status"},
        "x-fiqa-score": {"schema": {"type": "number"}, "description": "its score, if it has one"},
    },
}
_Method = Annotated[
    list[str] | None,
    Query(description="A method whose numbers are given; repeatable, all by default. See /v1/methods."),
]
_At = Annotated[
    str,
    Query(description="The gate: a score from 0 to 100, fnmr=SHARE or discard=SHARE. See /v1/model."),
]


class _Wanted(NamedTuple):
    """What a request asks for beside the score."""

    methods: tuple[str, ...]
    maps: bool
    reasons: bool
    all_faces: bool


def _methods(service: Service, asked: Sequence[str] | None) -> tuple[str, ...]:
    """The methods that were asked for, or all."""
    known = service.scorer.specs
    for name in asked or ():
        if name not in known:
            raise Problem(422, f"{str(unknown('method', name[:60], known)).rstrip('.')}")
    return tuple(asked or known)


def _wanted(
    request: Request,
    all_faces: Annotated[
        bool, Query(description="Every face, largest first, rather than the largest.")
    ] = False,
    method: _Method = None,
    maps: Annotated[bool, Query(description="With the patch maps.")] = False,
    reasons: Annotated[
        bool, Query(description="With why a face may be less useful, and what to do about it.")
    ] = False,
) -> _Wanted:
    """What the query of a request asks for, checked before its body is read."""
    service = service_of(request)
    if reasons and service.scorer.policy is None:
        raise Problem(422, "this server gives no reasons: its scorer must be made with reasons=True")
    return _Wanted(_methods(service, method), maps=maps, reasons=reasons, all_faces=all_faces)


_Asked = Annotated[_Wanted, Depends(_wanted)]


def _errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": answers.ErrorAnswer} for status in statuses}


router = APIRouter(responses=_errors(401, 422, 500))
_posted = _errors(400, 408, 413, 415, 503)


@router.post("/v1/score", response_model=answers.ScoreAnswer, responses=_posted, openapi_extra=_IMAGE)
async def score(request: Request, wanted: _Asked) -> Response:
    """The quality of the largest face of each image, or of every face."""
    service = service_of(request)
    results = await _results(service, request, wanted)
    return JSONResponse({"results": [values for values, _ in results]})


@router.post(
    "/v1/explain",
    response_class=Response,
    responses={200: _PICTURE, **_posted},
    openapi_extra=_IMAGE,
)
async def explain(request: Request, method: _Method = None) -> Response:
    """The largest face and its patch maps as a PNG; where there is no score, its reason as one."""
    service = service_of(request)
    methods = method or service.mapped
    for name in _methods(service, methods):
        if name not in service.mapped:
            with_one = ", ".join(service.mapped) or "none"
            raise Problem(422, f"a method must have a patch map to be drawn, as {with_one}, but got {name!r}")
    upload = await read_image(request, service.settings)
    ((quality, *_),) = await service.judge_images(request, [upload.data])

    def drawn() -> bytes:
        maps = {spec: one for spec, one in quality.maps.items() if spec in methods}
        if quality.ok and quality.crop is not None:
            picture = portrait(quality.crop, maps)
        else:
            picture = notice(f"{quality.status}: {quality.reason}")
        file = io.BytesIO()
        picture.save(file, "png", compress_level=1)
        return file.getvalue()

    headers = {"x-fiqa-status": quality.status}
    if quality.score is not None:
        headers["x-fiqa-score"] = f"{quality.score:.2f}"
    return Response(await service.draw(drawn), media_type="image/png", headers=headers)


@router.post("/v1/gate", response_model=answers.GatedAnswer, responses=_posted, openapi_extra=_IMAGE)
async def gate(request: Request, at: _At, wanted: _Asked) -> Response:
    """Whether each face passes a gate; one without a score does not."""
    service = service_of(request)
    if (calibration := service.scorer.calibration) is None:
        raise Problem(422, "this model has no calibration, so no gates: start the server with --profile")
    try:
        held = read_gate(at, calibration)
    except UsageError as error:
        raise Problem(422, str(error)) from error
    results = await _results(service, request, wanted)
    return JSONResponse(
        {
            "gate": {
                "rule": held.rule,
                "score": held.score,
                "low": held.low,
                "high": held.high,
                "discarded": None if held.threshold is None else held.threshold.discarded,
            },
            "results": [{**values, "accepted": held.accepts(quality)} for values, quality in results],
        }
    )


@router.get("/v1/methods", response_model=answers.MethodsAnswer)
async def methods(request: Request) -> Response:
    """The methods that this server runs, all in one pass."""
    service = service_of(request)
    scorer = service.scorer
    listed = []
    for spec, used in scorer.used.items():
        about: Any = CROP_MEASURES.get(spec) or METHODS[split(spec)[0]]
        listed.append(
            {
                "method": spec,
                "used": used,
                "summary": about.summary,
                "source": about.source,
                "map": scorer.map_notes[spec] if spec in service.mapped else None,
                "scores": spec == scorer.scored_by,
            }
        )
    return JSONResponse({"methods": listed})


@router.get("/v1/model", response_model=answers.ModelAnswer)
async def model(request: Request) -> Response:
    """What scores here, its gates, and what a request may cost."""
    service = service_of(request)
    scorer, settings, limits = service.scorer, service.settings, service.limits
    card, calibration = scorer.card, scorer.calibration
    return JSONResponse(
        {
            "name": card.name,
            "version": __version__,
            "engine": scorer.engine,
            "align": scorer.align,
            "methods": list(scorer.specs),
            "scored_by": scorer.scored_by,
            "meaning": calibration.meaning if calibration else None,
            "gates": [one.rule for one in calibration.thresholds] if calibration else [],
            "embedding": card.embedding if settings.embeddings else 0,
            "source": card.source,
            "licence": card.licence,
            "sha256": card.sha256,
            "limits": {
                "max_bytes": settings.max_bytes,
                "max_pixels": limits.max_pixels,
                "body_seconds": settings.body_timeout,
                "decode_seconds": limits.timeout,
                "max_images": settings.max_images,
                "max_in_flight": settings.max_in_flight,
            },
        }
    )


@router.get("/healthz", response_model=answers.HealthAnswer)
async def live() -> Response:
    """Whether the process lives."""
    return JSONResponse({"status": "ok"})


@router.get("/readyz", response_model=answers.HealthAnswer, responses=_errors(503))
async def ready(request: Request) -> Response:
    """Whether the server takes images: the model is loaded and compiled, and it is not about to stop."""
    if not service_of(request).batcher.ready:
        raise busy("this server is starting, or about to stop")
    return JSONResponse({"status": "ok"})


@router.get("/metrics", response_class=Response, responses={200: {"content": {CONTENT_TYPE: {}}}})
async def metrics(request: Request) -> Response:
    """The numbers of this server in Prometheus's text format."""
    return Response(service_of(request).metrics.text(), media_type=CONTENT_TYPE)


async def _results(
    service: Service, request: Request, wanted: _Wanted
) -> list[tuple[dict[str, Any], Quality]]:
    """A row per face, in the order of the images, with the quality that it was made of."""
    uploads = await read_images(request, service.settings)
    images = [upload.data for upload in uploads]
    found = await service.judge_images(request, images, all_faces=wanted.all_faces, reasons=wanted.reasons)
    row = partial(
        answers.as_answer, methods=wanted.methods, maps=wanted.maps, reasons=wanted.reasons,
        embedding=service.settings.embeddings,
    )  # fmt: skip
    return [
        (row(quality, image=number, name=upload.name), quality)
        for number, (upload, qualities) in enumerate(zip(uploads, found, strict=True))
        for quality in qualities
    ]
