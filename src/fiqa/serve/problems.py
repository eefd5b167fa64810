"""What went wrong with a request → its answer: one envelope, or the text that ``/v2`` wants."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Scope

CODES = {
    400: "bad_request",
    401: "unauthorized",
    404: "not_found",
    405: "method_not_allowed",
    408: "too_slow",
    413: "too_large",
    415: "unsupported_media_type",
    422: "invalid_parameter",
    500: "internal",
    503: "busy",
}
"""HTTP status → the ``code`` of the error."""


class Problem(Exception):
    """A request that can't be answered as it wishes.

    Attributes:
        status: of HTTP, one of ``CODES``.
        message: one sentence: rule, value, remedy.
        headers: that the answer carries beside.
    """

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.headers = status, message, headers


def busy(message: str) -> Problem:
    """A 503 that says when to come again."""
    return Problem(503, message, {"retry-after": "1"})


def request_id_of(scope: Scope) -> str:
    """The request's id, as in ``x-request-id``."""
    return str(scope.get("state", {}).get("request_id", ""))


def answer(scope: Scope, problem: Problem) -> Response:
    """The problem as a response: a plain text under ``error`` below ``/v2``, elsewhere the envelope."""
    if is_inference_protocol(scope):
        content: dict[str, object] = {"error": problem.message}
    else:
        error = {"code": CODES[problem.status], "message": problem.message}
        content = {"error": error, "request_id": request_id_of(scope)}
    return JSONResponse(content, problem.status, dict(problem.headers or {}))


def is_inference_protocol(scope: Scope) -> bool:
    """Whether the request is one of the Open Inference Protocol."""
    path: str = scope["path"]
    return path == "/v2" or path.startswith("/v2/")


def on_problem(request: Request, error: Exception) -> Response:
    """Handler of :class:`Problem`."""
    assert isinstance(error, Problem)
    return answer(request.scope, error)


def on_http_error(request: Request, error: Exception) -> Response:
    """Handler of what the router raises: no such route, or not with this method."""
    assert isinstance(error, HTTPException)
    allowed = (error.headers or {}).get("Allow", "another")
    texts = {
        404: f"there is no route {request.url.path[:100]!r}; GET /openapi.json lists them",
        405: f"the method must be {allowed}, but got {request.method[:20]}",
    }
    status = error.status_code if error.status_code in CODES else 400
    message = texts.get(error.status_code, str(error.detail))
    return answer(request.scope, Problem(status, message, error.headers))


def on_invalid(request: Request, error: Exception) -> Response:
    """Handler of parameters that don't fit."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"][1:])
    said = f"{name}: {first['msg'][:1].lower()}{first['msg'][1:]}"
    if first["type"] != "missing":
        said += f", but got {str(first.get('input'))[:60]!r}"
    return answer(request.scope, Problem(422, said))
