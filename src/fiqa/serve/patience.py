"""Connections on which nothing happens → closed ones: uvicorn itself would wait for ever.

It has no limit for a client that connects and says nothing, sends its headers byte by byte, or does not read
what it asked for. Bodies have their own (:class:`fiqa.serve.guards.Reader`).
"""

from __future__ import annotations

import asyncio
from typing import Any


def limit_patience(protocol: type[asyncio.Protocol], seconds: float) -> type[asyncio.Protocol]:
    """One of uvicorn's protocols, whose connections end after ``seconds`` to twice that without progress."""

    class Impatient(protocol):  # type: ignore[misc, valid-type]
        _look: asyncio.TimerHandle | None = None
        _seen: tuple[Any, int] = (object(), 0)

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._look_later()

        def connection_lost(self, error: Exception | None) -> None:
            if self._look is not None:
                self._look.cancel()
            super().connection_lost(error)

        def _look_later(self) -> None:
            self._look = asyncio.get_running_loop().call_later(seconds, self._look_now)

        def _look_now(self) -> None:
            request, unread = self.cycle, self.transport.get_write_buffer_size()
            (request_before, unread_before), self._seen = self._seen, (request, unread)
            same = request is request_before
            if same and unread and unread >= unread_before:
                self.transport.abort()
            elif same and (request is None or request.response_complete):
                self.transport.close()
            else:
                self._look_later()

    return Impatient
