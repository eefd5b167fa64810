"""``fiqa serve``: a scorer behind HTTP."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from .common import FAILED, announce, say
from .scorer_options import Given, make_scorer, scorer_options


@scorer_options(
    "method", "model", "align", "budget", "engine", "precision", "threads",
    "heads", "detector", "rotate", "min_face", "max_side", "profile", "tolerant", "no_cache",
)  # fmt: skip
def serve(
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0: any that is free.")] = 8000,
    *,
    given: Given,
    batch_size: Annotated[int, typer.Option(min=1, help="The most faces a forward pass.")] = 8,
    max_file_size: Annotated[int, typer.Option(min=1, help="Megabytes of the largest body.")] = 20,
    max_pixels: Annotated[int, typer.Option(min=1, help="Megapixels of the largest image.")] = 40,
    timeout: Annotated[
        float, typer.Option(help="Seconds in which a body must come, and an image be decoded.")
    ] = 30.0,
    max_in_flight: Annotated[
        int, typer.Option(min=1, help="Images worked on or waiting at a time; more get 503.")
    ] = 128,
    keys: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Hashes of the keys that may call; SIGHUP reads it again."),
    ] = None,
    new_key: Annotated[
        bool, typer.Option("--new-key", help="Print a new key and its line for --keys.")
    ] = False,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Listen where others can reach it, without keys.")
    ] = False,
    embeddings: Annotated[
        bool,
        typer.Option("--embeddings", help="Give out the recognition embedding, which is biometric data."),
    ] = False,
    allow_origin: Annotated[
        list[str] | None, typer.Option(help="Origin whose web pages may call (CORS); repeatable.")
    ] = None,
    log_format: Annotated[Literal["text", "json"], typer.Option(help="Form of the log.")] = "text",
    ssl_certfile: Annotated[Path | None, typer.Option(help="Certificate, for https.")] = None,
    ssl_keyfile: Annotated[Path | None, typer.Option(help="Its private key.")] = None,
    get: Annotated[
        str | None, typer.Option("--get", metavar="PATH", help="Answer one GET, such as /v1/model, and end.")
    ] = None,
) -> None:
    """Serve scores over HTTP: /v1/score, /v1/explain, /v1/gate, and the Open Inference Protocol below /v2.

    At / stands the page that scores photos in the browser. Nothing of an image is stored or logged.
    docs/serve.md has every route.
    """
    if new_key:
        _print_new_key()
        return
    _check_installed()
    from ..serve import Keys, Listener, Settings, log, make_app
    from ..serve.server import check_address

    allowed = Keys(keys) if keys else None
    check_address(host, keys=allowed, insecure=insecure)
    listener = None if get else Listener(host, port)
    settings = Settings(
        max_bytes=max_file_size * 1_000_000, body_timeout=timeout, max_in_flight=max_in_flight,
        max_images=min(16, max_in_flight), max_held=max(512, max_file_size) * 1_000_000,
        batch_size=batch_size, embeddings=embeddings, origins=tuple(allow_origin or ()),
        keys=None if get else allowed,
    )  # fmt: skip
    scorer = make_scorer(
        given | {"timeout": timeout, "max_file_size": max_file_size},
        max_pixels=max_pixels * 1_000_000, embedding=embeddings, reasons=True,
    )  # fmt: skip
    app = make_app(scorer, settings)
    if listener is None:
        _answer_once(app, get or "")
        return
    announce(scorer, given["budget"])
    log.set_up(log_format)
    tls = {"ssl_certfile": ssl_certfile, "ssl_keyfile": ssl_keyfile}
    listener.serve(app, started=_print_address, **{name: path for name, path in tls.items() if path})


def _check_installed() -> None:
    from ..errors import require

    for module in ("fastapi", "uvicorn", "python_multipart", "prometheus_client"):
        require(module, "serve", "fiqa serve")


def _print_new_key() -> None:
    from ..serve.keys import new_key

    key, line = new_key()
    print(f"the key, to be given to who may call:\n{key}\nthe line for the file of --keys:\n{line}")


def _print_address(address: str) -> None:
    from .. import web

    print(f"fiqa: serving at {address}", flush=True)
    if web.built() is None:
        say(f"{web.MISSING}; the API is served all the same")


def _answer_once(app: Any, path: str) -> None:
    from ..serve.once import get

    status, body = get(app, path)
    sys.stdout.buffer.write(body if body.endswith(b"\n") else body + b"\n")
    if status >= 400:
        raise typer.Exit(FAILED)
