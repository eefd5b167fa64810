"""The Open Inference Protocol (KServe v2, REST): the routes below ``/v2``, for clients of other servers.

Source: github.com/kserve/open-inference-protocol, and Triton's extension for binary tensors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from fastapi import APIRouter, Request
from numpy.typing import NDArray
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, Response

from .. import __version__
from ..types import CROP_SHAPE, Quality
from . import tensors
from .problems import Problem, busy
from .service import Service, service_of

ALIAS = "fiqa"
"""A name that every model has here beside its own, so that clients need not change with it."""

_UNSCORED = float("nan")


class ProtocolError(BaseModel):
    """The one form of an error below /v2."""

    error: str


class TensorInfo(BaseModel):
    """What an input or output is."""

    name: str
    datatype: str
    shape: list[int] = Field(description="-1: any number")


class ServerInfo(BaseModel):
    """What answers here."""

    name: str
    version: str
    extensions: list[str]


class ModelInfo(BaseModel):
    """What a model takes and gives."""

    name: str
    platform: str
    inputs: list[TensorInfo]
    outputs: list[TensorInfo]


class Live(BaseModel):
    """Whether the process lives."""

    live: bool


class Ready(BaseModel):
    """Whether it takes requests."""

    name: str | None = None
    ready: bool


class Tensor(BaseModel):
    """An output; in the binary extension its data follows the JSON."""

    name: str
    datatype: str
    shape: list[int]
    data: list[Any] | None = None
    parameters: dict[str, Any] | None = None


class InferenceAnswer(BaseModel):
    """The outputs of a request, an item per image or crop."""

    model_name: str
    id: str | None = None
    outputs: list[Tensor]


def _errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": ProtocolError} for status in statuses}


# As JSON it is described for one image, whose number of items a schema can check; the text says the rest.
_REQUEST: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": (
            "One input: `image`, BYTES [N], encoded files (in JSON as base64), or `crops`, "
            "UINT8 [N, 112, 112, 3], RGB. The binary extension (`Inference-Header-Content-Length`) and "
            "bodies in gzip or deflate are understood."
        ),
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["inputs"],
                    "properties": {
                        "id": {"type": "string"},
                        "inputs": {
                            "type": "array",
                            "minItems": 1,
                            "maxItems": 1,
                            "items": {
                                "type": "object",
                                "required": ["name", "datatype", "shape", "data"],
                                "properties": {
                                    "name": {"enum": [tensors.IMAGE]},
                                    "datatype": {"enum": ["BYTES"]},
                                    "shape": {"enum": [[1]]},
                                    "data": {
                                        "type": "array",
                                        "minItems": 1,
                                        "maxItems": 1,
                                        "items": {"type": "string", "format": "byte"},
                                    },
                                },
                            },
                        },
                        "outputs": {
                            "type": "array",
                            "items": {
                                "type": "object",
                                "required": ["name"],
                                "properties": {"name": {"enum": ["score", "status"]}},
                            },
                        },
                        "parameters": {
                            "type": "object",
                            "properties": {"binary_data_output": {"type": "boolean"}},
                        },
                    },
                }
            }
        },
    }
}

router = APIRouter(prefix="/v2", responses=_errors(401, 500))


@router.get("", response_model=ServerInfo)
async def server() -> Response:
    """What answers here."""
    return JSONResponse({"name": "fiqa", "version": __version__, "extensions": ["binary_tensor_data"]})


@router.get("/health/live", response_model=Live)
async def live() -> Response:
    """Whether the process lives."""
    return JSONResponse({"live": True})


@router.get("/health/ready", response_model=Ready, responses=_errors(503))
async def ready(request: Request) -> Response:
    """Whether the server takes requests."""
    _check_ready(service_of(request))
    return JSONResponse({"ready": True})


@router.get("/models/{model}", response_model=ModelInfo, responses=_errors(404))
async def model(request: Request, model: str) -> Response:
    """What a model takes and gives."""
    service = service_of(request)
    _check_name(service, model)
    inputs = [
        {"name": tensors.IMAGE, "datatype": "BYTES", "shape": [-1]},
        {"name": tensors.CROPS, "datatype": "UINT8", "shape": [-1, *CROP_SHAPE]},
    ]
    nothing = _outputs(service, [])
    outputs = [
        {"name": name, "datatype": tensors.DATATYPES[values.dtype.kind], "shape": [-1, *values.shape[1:]]}
        for name, values in nothing.items()
    ]
    return JSONResponse({"name": model, "platform": "fiqa", "inputs": inputs, "outputs": outputs})


@router.get("/models/{model}/ready", response_model=Ready, responses=_errors(404, 503))
async def model_ready(request: Request, model: str) -> Response:
    """Whether a model takes requests."""
    service = service_of(request)
    _check_name(service, model)
    _check_ready(service)
    return JSONResponse({"name": model, "ready": True})


@router.post(
    "/models/{model}/infer",
    response_model=InferenceAnswer,
    response_model_exclude_none=True,
    responses={
        200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}},
        **_errors(400, 404, 408, 413, 415, 503),
    },
    openapi_extra=_REQUEST,
)
async def infer(request: Request, model: str) -> Response:
    """Scores of encoded images, of the largest face of each, or of aligned crops."""
    service = service_of(request)
    _check_name(service, model)
    settings = service.settings
    encoding = request.headers.get("content-encoding", "")
    body = tensors.unpack(await request.body(), encoding, most=settings.max_bytes)
    asked = tensors.read(body, request.headers.get(tensors.HEADER), most_images=settings.max_images)
    if asked.images is not None:
        found = [one[0] for one in await service.judge_images(request, asked.images)]
    elif asked.crops is not None and len(asked.crops):
        found = await service.judge_crops(request, asked.crops)
    else:
        found = []
    content, headers = tensors.write(_outputs(service, found), asked, model=model)
    return Response(content, headers=headers)


def _outputs(service: Service, qualities: Sequence[Quality]) -> dict[str, NDArray[Any]]:
    """Name → an item per quality: score, status, each method, and the embedding where it is given out."""
    outputs: dict[str, NDArray[Any]] = {
        "score": _numbers([quality.score for quality in qualities]),
        "status": np.array([quality.status.encode() for quality in qualities], dtype=object),
    }
    for spec in service.scorer.specs:
        outputs[spec] = _numbers([quality.raw.get(spec) for quality in qualities])
    if service.settings.embeddings:
        none = np.full(service.scorer.card.embedding, _UNSCORED, np.float32)
        vectors = [none if quality.embedding is None else quality.embedding for quality in qualities]
        outputs["embedding"] = np.array(vectors, dtype=np.float32).reshape(len(vectors), len(none))
    return outputs


def _numbers(values: Sequence[float | None]) -> NDArray[np.float32]:
    """(N,) float32; NaN where there is no number."""
    return np.array([_UNSCORED if value is None else value for value in values], dtype=np.float32)


def _check_name(service: Service, name: str) -> None:
    own = service.scorer.card.name
    if name not in (own, ALIAS):
        raise Problem(404, f"the model here is {own!r}, or {ALIAS!r}, but got {name[:60]!r}")


def _check_ready(service: Service) -> None:
    if not service.batcher.ready:
        raise busy("this server is starting, or about to stop")
