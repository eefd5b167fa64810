"""A scorer and settings in → an ASGI application out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware

from ..errors import UsageError
from ..scorer import Scorer
from . import inference_protocol, routes
from .document import describe
from .guards import Gatekeeper, Observer, Reader
from .problems import Problem, on_http_error, on_invalid, on_problem
from .service import Service
from .settings import Settings
from .site import add_page

API_VERSION = "1"
_ABOUT = "How useful is a face image for recognition? Nothing of an image is stored or logged."


def make_app(scorer: Scorer, settings: Settings | None = None) -> FastAPI:
    """The application that ``fiqa serve`` runs, for any ASGI server.

    Args:
        scorer: what scores; its limits are those of an image.
        settings: None: the defaults.

    Raises:
        UsageError: embeddings are to be given out, and the scorer makes none.
    """
    settings = settings or Settings()
    if settings.embeddings and not scorer.embedding:
        raise UsageError("embeddings need a scorer that makes them: give it embedding=True")
    service = Service(scorer, settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(service.start)
        yield
        await asyncio.to_thread(service.batcher.close)

    app = FastAPI(
        title="fiqa",
        version=API_VERSION,
        description=_ABOUT,
        docs_url=None,  # its page would fetch scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.service = service
    app.include_router(routes.router)
    app.include_router(inference_protocol.router)
    add_page(app, api=f"v{API_VERSION}/", wants_key=settings.keys is not None)
    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(RequestValidationError, on_invalid)
    # the last one added is the first that a request meets
    app.add_middleware(Reader, settings=settings)
    if settings.keys is not None:
        app.add_middleware(Gatekeeper, keys=settings.keys)
    if settings.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.origins),
            allow_methods=["GET", "POST"],
            allow_headers=["authorization", "content-type", "x-api-key", "x-request-id"],
            expose_headers=["x-request-id"],
        )
    app.add_middleware(Observer, metrics=service.metrics)
    app.openapi = lambda: describe(app, service)  # type: ignore[method-assign]
    return app
