"""What the routes share: the scorer, its batcher, its numbers, and how a request waits for its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
from starlette.requests import ClientDisconnect, Request

from ..images import Limits
from ..scorer import Scorer
from ..types import CROP_SHAPE, ImageArray, Quality
from .batcher import Answer, Batcher
from .metrics import Metrics
from .problems import busy
from .settings import Settings


class Service:
    """One scorer behind HTTP.

    Attributes:
        scorer: what scores.
        settings: what the server was told.
        metrics: its numbers.
        batcher: where images and crops go.
    """

    def __init__(self, scorer: Scorer, settings: Settings) -> None:
        self.scorer, self.settings = scorer, settings
        self._n_drawing = 0
        self.metrics = Metrics(scorer)
        self.batcher = Batcher(
            scorer, self.metrics, batch_size=settings.batch_size, max_in_flight=settings.max_in_flight
        )

    def start(self) -> None:
        """Load, compile and open what requests need, and begin to work; once is enough.

        Raises:
            MissingExtra: there is no detector.
        """
        self.batcher.start()
        _ = self.mapped

    @cached_property
    def mapped(self) -> tuple[str, ...]:
        """The methods that have a patch map, which some have by their options: a blank crop tells."""
        return tuple(self.scorer.patch_maps(np.zeros((1, *CROP_SHAPE), dtype=np.uint8)))

    @property
    def limits(self) -> Limits:
        """What one image may cost."""
        return self.scorer.limits or Limits()

    async def judge_images(
        self,
        request: Request,
        images: Sequence[bytes],
        *,
        all_faces: bool = False,
        reasons: bool = False,
    ) -> list[list[Quality]]:
        """Qualities per encoded image, for as long as the client waits.

        Raises:
            Problem: 503, too much is in flight.
            ClientDisconnect: the client has gone.
        """
        answers = self.batcher.images(images, all_faces=all_faces, reasons=reasons)
        return await _answered(request, answers)

    async def draw(self, make: Callable[[], bytes]) -> bytes:
        """What ``make`` gives, made in a thread; as many at a time as may be in flight.

        Raises:
            Problem: 503, too many are being drawn.
        """
        if self._n_drawing >= self.settings.max_in_flight:
            raise busy(f"{self._n_drawing} pictures are being drawn already: send it again in a moment")
        self._n_drawing += 1
        try:
            return await asyncio.to_thread(make)
        finally:
            self._n_drawing -= 1

    async def judge_crops(self, request: Request, crops: ImageArray) -> list[Quality]:
        """One quality per crop, uint8 (N, 112, 112, 3) RGB.

        Raises:
            Problem, ClientDisconnect: as of :meth:`judge_images`.
        """
        (qualities,) = await _answered(request, [self.batcher.crops(crops)])
        return qualities


def service_of(request: Request) -> Service:
    """The service that the request's application was made with."""
    service = request.app.state.service
    assert isinstance(service, Service)
    return service


async def _answered(request: Request, answers: Sequence[Answer]) -> list[list[Quality]]:
    """What the batcher answers; if the client goes before, what has not begun is cancelled."""
    found = asyncio.gather(*(asyncio.wrap_future(one) for one in answers))
    gone = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait((found, gone), return_when=asyncio.FIRST_COMPLETED)
        if not found.done():
            raise ClientDisconnect
        return found.result()
    finally:
        gone.cancel()
        found.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
