"""An application in → a server on a socket, until a signal ends it."""

from __future__ import annotations

import ipaddress
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import uvicorn
from fastapi import FastAPI

from ..errors import FiqaError, UsageError
from .keys import Keys
from .log import log
from .patience import limit_patience

_DRAIN = 30  # seconds in which what was accepted must be answered once a signal has come
_BACKLOG = 2048


def check_address(host: str, *, keys: Keys | None, insecure: bool) -> None:
    """Refuse an address that others can reach, unless keys guard it or that is what is wanted.

    Raises:
        UsageError: no keys, not ``insecure``, and ``host`` is no loopback address.
    """
    if keys is None and not insecure and not _is_loopback(host):
        raise UsageError(
            f"others can reach {host}, so it needs --keys FILE or --insecure, where something in front "
            "of it checks who calls"
        )


class Listener:
    """A socket at an address, taken before a model is loaded, so that a wrong one is said at once.

    Args:
        host: address or name to listen at.
        port: 0: any that is free.

    Raises:
        FiqaError: the address can't be used.
    """

    def __init__(self, host: str, port: int) -> None:
        self._host, self._socket = host, _bind(host, port)

    def serve(self, app: FastAPI, *, started: Callable[[str], None], **tls: Any) -> None:
        """Serve until SIGINT or SIGTERM; what was accepted by then is answered.

        Args:
            app: what :func:`fiqa.serve.make_app` made.
            started: is told the address, once requests are answered.
            tls: uvicorn's options that begin with ``ssl_``.

        Raises:
            FiqaError: what TLS needs can't be read, or the scorer lacks something.
        """
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            ws="none",
            timeout_graceful_shutdown=_DRAIN,
            backlog=_BACKLOG,
            **tls,
        )
        try:
            config.load()
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise FiqaError(f"TLS can't be set up: {error}") from error
        service = app.state.service
        config.http_protocol_class = limit_patience(config.http_protocol_class, service.settings.body_timeout)
        service.start()
        _allow_many_files()
        if hasattr(signal, "SIGHUP") and (keys := service.settings.keys) is not None:
            signal.signal(signal.SIGHUP, lambda *_: _reload(keys))
        name = f"[{self._host}]" if ":" in self._host else self._host
        address = f"{'https' if config.is_ssl else 'http'}://{name}:{self._socket.getsockname()[1]}"
        server = _Server(config, lambda: started(address))
        _end_by_signals(server)
        server.run([self._socket])


class _Server(uvicorn.Server):
    """Says when it answers."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._say = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._say()


def _bind(host: str, port: int) -> socket.socket:
    try:
        family, *_, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise FiqaError(
            f"can't listen at {host} port {port}: {reason}; choose another --host or --port"
        ) from error
    return listener


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _allow_many_files() -> None:
    """A connection takes a file descriptor, of which a shell often gives 1,024."""
    if os.name == "posix":
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _end_by_signals(server: uvicorn.Server) -> None:
    """What a signal does until uvicorn listens itself, and after it, when it raises again what ended it."""

    def end(*_: object) -> None:
        server.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)


def _reload(keys: Keys) -> None:
    try:
        keys.reload()
        log.info("%d keys are allowed now", len(keys))
    except FiqaError as error:
        log.error("the keys stay as they were: %s", error)
