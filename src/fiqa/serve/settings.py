"""What a server may be told."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import UsageError

if TYPE_CHECKING:
    from .keys import Keys

MAX_BYTES = 20_000_000
MAX_PIXELS = 40_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a server may be told; what one image may cost is the scorer's (:class:`fiqa.images.Limits`).

    Attributes:
        max_bytes: the most bytes of a request's body, as sent and, where it is compressed, as it was.
        body_timeout: seconds within which a body must have come.
        max_images: the most images of one request.
        max_in_flight: the most images that are being worked on or wait for it; more get 503.
        max_held: the most bytes of bodies that are held at a time; more get 503.
        batch_size: faces per forward pass.
        embeddings: whether the recognition embedding, which is biometric data, is given out.
        origins: web origins whose pages may call this server (CORS); none by default.
        keys: who may call this server; None: everybody.

    Raises:
        UsageError: a limit is not positive, or a request may hold more images than may be in flight.
    """

    max_bytes: int = MAX_BYTES
    body_timeout: float = 30.0
    max_images: int = 16
    max_in_flight: int = 128
    max_held: int = 512_000_000
    batch_size: int = 8
    embeddings: bool = False
    origins: tuple[str, ...] = ()
    keys: Keys | None = None

    def __post_init__(self) -> None:
        for name in ("max_bytes", "max_images", "max_in_flight", "batch_size"):
            if (value := getattr(self, name)) < 1:
                raise UsageError(f"{name} must be at least 1, but got {value}")
        if not (self.body_timeout > 0 and math.isfinite(self.body_timeout)):
            raise UsageError(
                f"body_timeout must be a positive number of seconds, but got {self.body_timeout}"
            )
        if self.max_held < self.max_bytes:
            raise UsageError(f"max_held must be at least max_bytes {self.max_bytes}, but got {self.max_held}")
        if self.max_in_flight < self.max_images:
            raise UsageError(
                f"max_in_flight must be at least max_images {self.max_images}, but got {self.max_in_flight}"
            )
