"""Running a recogniser over many crops: batches, progress, a cache, flip fusion."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

import numpy as np

from ...errors import UsageError
from ...types import FloatArray, ImageArray
from .cache import VectorCache, content_key
from .types import Recognizer

Progress = Callable[[int], None]
"""Called with the number of crops done so far, after every batch."""


class FlipFusion:
    """A recogniser on the crop and its mirror image: the mean of both embeddings, at twice the cost."""

    def __init__(self, recognizer: Recognizer) -> None:
        self._recognizer = recognizer
        self.name = f"{recognizer.name} + flip"
        self.identity = f"flip({recognizer.identity})"

    def embed(self, crops: ImageArray) -> FloatArray:
        """Embeddings (B, D) float32, not normalised, of crops (B, 112, 112, 3) uint8 RGB."""
        mirrored = np.ascontiguousarray(crops[:, :, ::-1])
        return (self._recognizer.embed(crops) + self._recognizer.embed(mirrored)) * np.float32(0.5)


def embed_crops(
    recognizer: Recognizer,
    crops: Iterable[ImageArray],
    *,
    batch_size: int = 64,
    cache: VectorCache | None = None,
    progress: Progress | None = None,
) -> FloatArray:
    """Embeddings (n, D) float32, not normalised, of a stream of crops (112, 112, 3) uint8 RGB, in order.

    Only one batch of crops is held at a time. With a cache, a crop that this recogniser has seen, in this run
    or an earlier one, costs no pass.
    """
    return map_crops(recognizer.embed, recognizer.identity, crops, batch_size, cache, progress)


def map_crops(
    function: Callable[[ImageArray], FloatArray],
    identity: str,
    crops: Iterable[ImageArray],
    batch_size: int = 64,
    cache: VectorCache | None = None,
    progress: Progress | None = None,
) -> FloatArray:
    """``function`` of every crop, (n, D); ``identity`` is what the cache knows the function by."""
    if batch_size < 1:
        raise UsageError(f"batch_size must be at least 1, but got {batch_size}")
    results: list[FloatArray] = []
    done = 0
    for batch in _batches(crops, batch_size):
        results.append(_map_batch(function, identity, batch, cache))
        done += len(batch)
        if progress is not None:
            progress(done)
    if not results:
        raise UsageError("there is no crop: expected at least one")
    return np.concatenate(results)


def _batches(crops: Iterable[ImageArray], size: int) -> Iterator[ImageArray]:
    iterator = iter(crops)
    while batch := list(islice(iterator, size)):
        yield np.stack(batch)


def _map_batch(
    function: Callable[[ImageArray], FloatArray], identity: str, batch: ImageArray, cache: VectorCache | None
) -> FloatArray:
    if cache is None:
        return function(batch)
    keys = [content_key(crop) for crop in batch]
    known = cache.get(identity, keys)
    todo = {key: row for row, key in enumerate(keys) if key not in known}
    if todo:
        fresh = dict(zip(todo, function(batch[list(todo.values())]), strict=True))
        cache.put(identity, fresh)
        known.update(fresh)
    return np.stack([known[key] for key in keys])
