"""The built page → routes that serve it at ``/``; nothing of it needs a key or is a secret."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from .. import web
from .problems import Problem

ASSETS = "/assets"
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; "
        "img-src 'self' blob: data:; media-src 'self' blob:; connect-src 'self'; worker-src 'self'; "
        "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    # with these two a browser lets the page use several threads
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
    "cache-control": "no-cache",  # kept, but asked for anew: no page meets files of two versions
}


def add_page(app: FastAPI, *, api: str, wants_key: bool) -> None:
    """Serve the built page at ``/``; where there is none, ``/`` says so.

    Args:
        app: the application.
        api: address of its routes, as the page sees them.
        wants_key: whether they want a key.
    """
    folder = web.built()
    if folder is None:
        app.add_route("/", _missing, include_in_schema=False)
        return
    about = {"api": api, "key": wants_key}
    routes = [Route("/server.json", partial(_about, about)), Route("/", _giver(folder / "index.html"))]
    routes += [Route(f"/{path.name}", _giver(path)) for path in sorted(folder.iterdir()) if path.is_file()]
    # the first of two routes counts: the server.json of the folder knows no server
    app.router.routes.extend([*routes, Mount(ASSETS, _Assets(directory=folder / "assets"))])


def is_of_page(path: str) -> bool:
    """Whether a path is one of the page's files, whatever is asked of it."""
    folder = web.built()
    if path == "/" or path.startswith(f"{ASSETS}/"):
        return True
    return folder is not None and "/" not in path[1:] and (folder / path[1:]).is_file()


class _Assets(StaticFiles):
    """Static files with the headers of the page, which a worker's script needs as much as the page itself."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(HEADERS)
        return response


def _giver(path: Path) -> Callable[[Request], Response]:
    def give(request: Request) -> Response:
        return FileResponse(path, headers=HEADERS)

    return give


def _about(about: dict[str, object], request: Request) -> Response:
    return JSONResponse(about, headers=HEADERS)


def _missing(request: Request) -> Response:
    raise Problem(
        404, f"{web.MISSING}; GET /openapi.json lists the routes of the API, which are served all the same"
    )
