"""A request's body → the encoded images in it, all of them in memory."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from typing import Any, NamedTuple

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from .problems import Problem
from .settings import Settings

FIELD = "image"
_RAW = ("application/octet-stream", "binary/octet-stream")
_BINARY = {"schema": {"type": "string", "format": "binary", "minLength": 1}}
OPENAPI_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "application/octet-stream": _BINARY,
        "image/jpeg": _BINARY,
        "image/png": _BINARY,
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": [FIELD],
                "additionalProperties": False,
                "properties": {
                    FIELD: {
                        "type": "array",
                        "items": {"type": "string", "format": "binary"},
                        "minItems": 1,
                    }
                },
            }
        },
    },
}
"""What the OpenAPI document says of such a body."""


class Upload(NamedTuple):
    """One image as it came: its file name, if it has one, and its bytes."""

    name: str | None
    data: bytes


class _InMemory(MultiPartParser):
    """Keeps files in memory: beyond 1 MiB each, Starlette's own would write them to the disk."""

    spool_max_size = sys.maxsize


async def read_images(request: Request, settings: Settings) -> list[Upload]:
    """The images of a request: its whole body, or the parts ``image`` of a multipart form.

    Raises:
        Problem: 415, a body of another type; 400, a body without an image, a broken form, or more images than
            a request may hold.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    encoding = request.headers.get("content-encoding", "identity").lower()
    if encoding != "identity":
        raise Problem(415, f"an image must be sent as it is, but its encoding is {encoding[:40]!r}")
    if kind == "multipart/form-data":
        return await _read_form(request, settings)
    if kind and kind not in _RAW and not kind.startswith("image/"):
        raise Problem(
            415,
            "a body must be image/*, application/octet-stream or multipart/form-data with parts "
            f"{FIELD!r}, but got {kind[:60]!r}",
        )
    data = await request.body()
    if not data:
        raise Problem(400, "the body must be an image, but it is empty")
    return [Upload(None, data)]


async def read_image(request: Request, settings: Settings) -> Upload:
    """The one image of a request.

    Raises:
        Problem: as of :func:`read_images`; 400 for more than one.
    """
    first, *others = await read_images(request, settings)
    if others:
        raise Problem(400, f"this route takes one image, but got {len(others) + 1}; /v1/score takes several")
    return first


async def _read_form(request: Request, settings: Settings) -> list[Upload]:
    most = settings.max_images

    async def chunks() -> AsyncGenerator[bytes, None]:
        yield await request.body()

    parser = _InMemory(request.headers, chunks(), max_files=most, max_fields=0)
    try:
        form = await parser.parse()
    except MultiPartException as error:
        text = error.message
        if text.startswith("Too many files"):
            raise Problem(400, f"a request may hold at most {most} images, but this one has more") from error
        if text.startswith("Too many fields"):
            said = f"a form may hold files named {FIELD!r} only, but this one has another field"
            raise Problem(400, f"{said}; parameters belong in the address") from error
        raise Problem(400, f"the form can't be read: {text.rstrip('.')}") from error
    try:
        uploads = []
        for name, value in form.multi_items():
            if name != FIELD or not isinstance(value, UploadFile):
                raise Problem(400, f"a form may hold files named {FIELD!r} only, but got {name[:40]!r}")
            uploads.append(Upload(value.filename or None, await value.read()))
    finally:
        await form.close()
    if not uploads:
        raise Problem(400, f"a form must hold at least one file named {FIELD!r}, but this one holds none")
    return uploads
