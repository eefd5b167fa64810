"""What stands before the routes, as plain ASGI: requests are named, timed, asked for a key and read whole.

The body is read here, within its bytes and seconds, so that nothing behind meets a slow or endless one.
"""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from contextlib import suppress

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .keys import Keys
from .log import log
from .metrics import Metrics
from .problems import Problem, answer, busy
from .settings import Settings
from .site import is_of_page

OPEN = ("/healthz", "/readyz", "/v2/health/live", "/v2/health/ready", "/openapi.json")
"""Routes that need no key: what probes them has none, and the document says that one is needed."""
_PATIENCE, _IGNORED = 5.0, 100_000_000  # seconds and bytes of a body that is thrown away
_GONE = 499  # the client has gone before its answer: nginx's number, which nobody is sent
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Observer:
    """Gives each request its id and each answer the headers of all; counts, logs, catches the rest."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), _GONE
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = request_id
                headers.setdefault("cache-control", "no-store")
                headers["x-content-type-options"] = "nosniff"
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except ClientDisconnect:
            pass
        except Exception:
            log.exception("a request failed", extra={"request_id": request_id})
            if status != _GONE:  # the answer has begun: all that is left is to cut it off
                raise
            problem = Problem(500, "something went wrong here, and was logged under this request's id")
            await answer(scope, problem)(scope, receive, sending)
        finally:
            self._note(scope, status, request_id, time.perf_counter() - began)

    def _note(self, scope: Scope, status: int, request_id: str, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")  # never the path: anybody can write anything
        self._metrics.request(scope["method"], route, status, seconds)
        said = {
            "request_id": request_id,
            "method": scope["method"],
            "route": route,
            "status": status,
            "seconds": round(seconds, 6),
        }
        log.info("%s %s %d in %.1f ms", scope["method"], route, status, seconds * 1e3, extra=said)


class Gatekeeper:
    """Lets pass who has a key: ``Authorization: Bearer KEY`` or ``X-API-Key: KEY``."""

    def __init__(self, app: ASGIApp, *, keys: Keys) -> None:
        self._app, self._keys = app, keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (
            scope["type"] == "http"
            and not _is_open(scope["path"])
            and not self._allowed(Headers(scope=scope))
        ):
            problem = Problem(
                401,
                "this server wants a key: send 'Authorization: Bearer KEY' or 'X-API-Key: KEY'",
                {"www-authenticate": "Bearer"},
            )
            await _refuse(problem, scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _allowed(self, headers: Headers) -> bool:
        scheme, _, key = headers.get("authorization", "").partition(" ")
        bearer = key.strip() if scheme.lower() == "bearer" else ""
        key = bearer or headers.get("x-api-key", "")
        return bool(key) and self._keys.allow(key.encode("utf-8", "surrogateescape"))


def _is_open(path: str) -> bool:
    return path in OPEN or is_of_page(path)


class Reader:
    """Reads a body whole, within its bytes and its seconds, and only then calls what is behind."""

    def __init__(self, app: ASGIApp, *, settings: Settings) -> None:
        self._app, self._settings = app, settings
        self._held = 0  # bytes, of all requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope) if scope["type"] == "http" else Headers({})
        if "content-length" not in headers and "transfer-encoding" not in headers:
            await self._app(scope, receive, send)
            return
        try:
            body = await self._read_in_time(headers, receive)
        except Problem as problem:
            await _refuse(problem, scope, receive, send)
            return
        try:
            await self._app(scope, _replay(body, receive), send)
        finally:
            self._held -= len(body)

    async def _read_in_time(self, headers: Headers, receive: Receive) -> bytes:
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._settings.max_bytes:
            raise self._too_large()
        try:
            async with asyncio.timeout(self._settings.body_timeout):
                return await self._read(receive)
        except TimeoutError as error:
            most = self._settings.body_timeout
            raise Problem(408, f"the body must come within {most:g} seconds, but it did not") from error

    async def _read(self, receive: Receive) -> bytes:
        chunks: list[bytes] = []
        n_bytes = 0
        try:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                chunk = message.get("body", b"")
                n_bytes += len(chunk)
                self._held += len(chunk)
                if n_bytes > self._settings.max_bytes:
                    raise self._too_large()
                if self._held > self._settings.max_held:
                    raise busy("too many bodies are being read: send it again in a moment")
                chunks.append(chunk)
                if not message.get("more_body", False):
                    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
        except BaseException:
            self._held -= n_bytes
            raise

    def _too_large(self) -> Problem:
        return Problem(
            413, f"a body may have at most {self._settings.max_bytes} bytes, but this one has more"
        )


async def _refuse(problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer without the body; the connection ends with it.

    A client that is still sending would meet a closed connection and never read the answer, so it is listened
    to for a little while, unless it asked first (``Expect: 100-continue``) or would send far too much.
    """
    headers = Headers(scope=scope)
    length = headers.get("content-length", "0")
    endless = problem.status == 408 or not length.isdecimal() or int(length) > _IGNORED
    if "expect" not in headers and not endless:
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                n_bytes, more = 0, True
                while more and n_bytes < _IGNORED:
                    message = await receive()
                    n_bytes += len(message.get("body", b""))
                    more = message.get("more_body", False)
    problem.headers = {**(problem.headers or {}), "connection": "close"}
    await answer(scope, problem)(scope, receive, send)


def _replay(body: bytes, receive: Receive) -> Receive:
    """A ``receive`` that gives the body that was read already, then what comes after it."""
    given = False

    async def receiving() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receiving
