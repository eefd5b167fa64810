"""A data set, recognisers and measures in → embeddings and qualities of every image, in one pass over it.

Every number that costs a forward pass is kept in a ``VectorCache`` by the pixels it belongs to, so a run that
was stopped, or that asks for one method more, repeats nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..types import FloatArray, ImageArray
from .datasets import Dataset, iter_crops
from .measures import Measure, as_measures
from .recognizers import PrecomputedEmbeddings, Recognizer, VectorCache, content_key

__all__ = ["Align", "Readings", "crops_at", "measure"]

Align = Callable[[ImageArray], ImageArray]
Progress = Callable[[int, int], None]
"""Called with (images done, images in all)."""


@dataclass(frozen=True, slots=True)
class Readings:
    """What one pass over a data set gives.

    Attributes:
        embeddings: recogniser name → (n, D).
        quality: measure name → (n,) raw, higher = better, −inf = refused.
    """

    embeddings: dict[str, FloatArray]
    quality: dict[str, NDArray[np.float64]]


def measure(
    dataset: Dataset,
    recognizers: Sequence[Recognizer | PrecomputedEmbeddings] = (),
    measures: Any = (),
    *,
    cache: VectorCache | None = None,
    align: Align | None = None,
    batch_size: int = 64,
    progress: Progress | None = None,
) -> Readings:
    """Embeddings and qualities of every image of a data set; each image is decoded once.

    Args:
        dataset: the images.
        recognizers: give the embeddings.
        measures: what :func:`as_measure` takes, or a list of such.
        cache: keeps what costs a pass.
        align: for images that are not 112×112 crops, as of ``iter_crops``.
        batch_size: crops per call.
        progress: called with the images done and in all.

    Raises:
        DataError: an image can't be used, a list lacks one, or a quality is NaN.
    """
    measures = as_measures(measures)
    embeddings: dict[str, FloatArray] = {}
    quality: dict[str, NDArray[np.float64]] = {}
    jobs: list[Measure] = []
    for recognizer in recognizers:
        if isinstance(recognizer, PrecomputedEmbeddings):
            embeddings[recognizer.name] = recognizer.lookup(dataset.names)
        else:
            jobs.append(_embedding(recognizer))
    n_embeddings = len(jobs)
    for one in measures:
        if one.of_names is not None:
            quality.update(zip(one.names, one.of_names(dataset.names), strict=True))
        else:
            jobs.append(one)
    for index, blocks in enumerate(_run(dataset, jobs, cache, align, batch_size, progress) if jobs else ()):
        for name, values in zip(jobs[index].names, blocks, strict=True):
            if index < n_embeddings:
                embeddings[name] = values
            else:
                quality[name] = values[:, 0].astype(np.float64)
    return Readings(
        {recognizer.name: embeddings[recognizer.name] for recognizer in recognizers},
        {
            name: _no_nan(np.asarray(quality[name], np.float64), name, dataset)
            for one in measures
            for name in one.names
        },
    )


def _run(
    dataset: Dataset,
    jobs: Sequence[Measure],
    cache: VectorCache | None,
    align: Align | None,
    batch_size: int,
    progress: Progress | None,
) -> list[list[FloatArray]]:
    """(n, D) of every job's every name, in one pass over the crops."""
    parts: list[list[list[FloatArray]]] = [[[] for _ in job.names] for job in jobs]
    done, crops = 0, iter_crops(dataset, align)
    while batch := list(islice(crops, batch_size)):
        stacked = np.stack(batch)
        keys = [content_key(crop) for crop in batch] if cache is not None else []
        for job, collected in zip(jobs, parts, strict=True):
            for block, values in zip(collected, _values(job, stacked, keys, cache), strict=True):
                block.append(values)
        done += len(batch)
        if progress is not None:
            progress(done, len(dataset))
    return [[np.concatenate(block) for block in collected] for collected in parts]


def crops_at(dataset: Dataset, rows: Sequence[int], align: Align | None = None) -> list[ImageArray]:
    """The crops of some images, by row."""
    landmarks = None if dataset.landmarks is None else dataset.landmarks[list(rows)]
    some = replace(
        dataset,
        images=tuple(dataset.images[row] for row in rows),
        names=tuple(str(place) for place in range(len(rows))),
        subjects=np.full(len(rows), "-"),
        pairs=None,
        is_genuine=None,
        folds=None,
        groups=None,
        labels=None,
        templates=None,
        landmarks=landmarks,
    )
    return list(iter_crops(some, align))


def _embedding(recognizer: Recognizer) -> Measure:
    return Measure(
        names=(recognizer.name,),
        details=("",),
        identities=(recognizer.identity,),
        of_crops=lambda crops: [recognizer.embed(crops)],
    )


def _values(
    job: Measure, crops: ImageArray, keys: Sequence[bytes], cache: VectorCache | None
) -> Iterator[FloatArray]:
    """One (B, D) array per name; only crops that the cache lacks are run."""
    score = job.of_crops
    if score is None:  # a list of scores has no crops to run
        return
    if cache is None or not job.identities:
        yield from (_columns(values, len(crops), job) for values in score(crops))
        return
    known = [cache.get(identity, keys) for identity in job.identities]
    todo = {key: row for row, key in enumerate(keys) if any(key not in found for found in known)}
    if todo:
        fresh = score(crops[list(todo.values())])
        for identity, found, values in zip(job.identities, known, fresh, strict=True):
            new = dict(zip(todo, _columns(values, len(todo), job), strict=True))
            cache.put(identity, new)
            found.update(new)
    for found in known:
        yield np.stack([found[key] for key in keys])


def _columns(values: Any, n_crops: int, job: Measure) -> FloatArray:
    array = np.asarray(values, np.float32)
    if array.shape[:1] != (n_crops,):
        raise DataError(
            f"{', '.join(job.names)} gave {array.shape} for {n_crops} crops: expected one row per crop"
        )
    return array.reshape(n_crops, -1)


def _no_nan(values: NDArray[np.float64], name: str, dataset: Dataset) -> NDArray[np.float64]:
    bad = np.flatnonzero(np.isnan(values))
    if bad.size:
        raise DataError(f"{name!r} gave NaN for image {dataset.names[bad[0]]!r} ({bad.size} in all)")
    return values
