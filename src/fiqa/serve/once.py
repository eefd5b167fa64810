"""A path in → what the application answers to a GET of it, without a socket."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import unquote

from fastapi import FastAPI


def get(app: FastAPI, path: str, *, headers: tuple[tuple[bytes, bytes], ...] = ()) -> tuple[int, bytes]:
    """Status and body of a GET.

    Args:
        app: what :func:`fiqa.serve.make_app` made.
        path: such as ``/v1/model``, with a query if need be.
        headers: of the request, with lower-case names.
    """
    return asyncio.run(_get(app, path, headers))


async def _get(app: FastAPI, path: str, headers: tuple[tuple[bytes, bytes], ...]) -> tuple[int, bytes]:
    before, _, query = f"/{path.removeprefix('/')}".partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": unquote(before),
        "raw_path": before.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": list(headers),
        "client": None,
        "server": None,
    }
    status, parts = 500, []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        nonlocal status
        status = message.get("status", status)
        parts.append(message.get("body", b""))

    async with app.router.lifespan_context(app):
        await app(scope, receive, send)
    return status, b"".join(parts)
