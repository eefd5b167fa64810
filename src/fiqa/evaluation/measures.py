"""What is evaluated: quality per image from fiqa's methods, from rivals, or from a file; one pass over a set.

Every number that costs a forward pass is kept in a ``VectorCache`` by the pixels it belongs to, so a run that
was stopped, or that asks for one method more, repeats nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, UsageError
from ..scorer import Scorer
from ..types import FloatArray, ImageArray
from .datasets import Dataset, iter_crops
from .recognizers import PrecomputedEmbeddings, Recognizer, VectorCache, content_key
from .rivals import Rival
from .score_lists import ListedScores

__all__ = [
    "CropMeasures",
    "Measured",
    "Measures",
    "crops_at",
    "from_rival",
    "from_scorer",
    "measure",
    "measure_details",
    "measure_names",
    "unique_names",
]

Align = Callable[[ImageArray], ImageArray]
Progress = Callable[[int, int], None]
"""Called with (images done, images in all)."""


@dataclass(frozen=True)
class CropMeasures:
    """Quality measures that one function takes from crops together.

    names: what tables call them. identities: one text a measure that changes whenever its values would, for
    the cache. details: one line a measure for people. score: uint8 (B, 112, 112, 3) RGB → one (B,) array a
    measure, higher = better.
    """

    names: tuple[str, ...]
    identities: tuple[str, ...]
    details: tuple[str, ...]
    score: Callable[[ImageArray], Sequence[NDArray[np.floating]]]


Measures = CropMeasures | ListedScores


def from_scorer(scorer: Scorer) -> CropMeasures:
    """All methods of a scorer, which share its forward pass."""
    # A card need not know the hash of its weights, so the scores of two fixed crops stand for them.
    probe = np.random.default_rng(0).integers(0, 256, (2, 112, 112, 3), dtype=np.uint8)
    fingerprint = scorer.score_crops(probe)
    identities = tuple(
        f"fiqa:{scorer.card.name}:{scorer.card.sha256}:{scorer.engine}:{scorer.used[spec]}:"
        f"{fingerprint[spec].tobytes().hex()}"
        for spec in scorer.specs
    )

    def score(crops: ImageArray) -> list[FloatArray]:
        found = scorer.score_crops(crops)
        return [found[spec] for spec in scorer.specs]

    details = tuple(f"{scorer.used[spec]} of {scorer.card.name}, {scorer.engine}" for spec in scorer.specs)
    return CropMeasures(scorer.specs, identities, details, score)


def from_rival(rival: Rival, name: str | None = None) -> CropMeasures:
    """A rival on crops, called ``name`` in tables."""
    detail = f"{rival.name}; {rival.passes:g} forward passes of its network a crop"
    return CropMeasures(
        (name or rival.name,), (rival.identity,), (detail,), lambda crops: [rival.score_crops(crops)]
    )


@dataclass(frozen=True)
class Measured:
    """What one pass over a data set gives.

    embeddings: recogniser name → (n, D). quality: measure name → (n,) raw, higher = better, −inf = refused.
    """

    embeddings: dict[str, FloatArray]
    quality: dict[str, NDArray[np.float64]]


def measure(
    dataset: Dataset,
    recognizers: Sequence[Recognizer | PrecomputedEmbeddings] = (),
    measures: Sequence[Measures] = (),
    *,
    cache: VectorCache | None = None,
    align: Align | None = None,
    batch_size: int = 64,
    progress: Progress | None = None,
) -> Measured:
    """Embeddings and qualities of every image of a data set; each image is decoded once.

    align: for images that are not 112×112 crops, as of ``iter_crops``. Raises DataError for an image that
    can't be used, for one that a list lacks, and for a quality that is NaN.
    """
    embeddings: dict[str, FloatArray] = {}
    quality: dict[str, NDArray[np.float64]] = {}
    jobs: list[CropMeasures] = []
    for recognizer in recognizers:
        if isinstance(recognizer, PrecomputedEmbeddings):
            embeddings[recognizer.name] = recognizer.lookup(dataset.names)
        else:
            jobs.append(_embedding(recognizer))
    n_embeddings = len(jobs)
    for one in measures:
        if isinstance(one, ListedScores):
            quality[one.name] = one.lookup(dataset.names)
        else:
            jobs.append(one)
    parts: list[list[list[FloatArray]]] = [[[] for _ in job.names] for job in jobs]
    done = 0
    crops = iter_crops(dataset, align) if jobs else iter(())
    while batch := list(islice(crops, batch_size)):
        stacked = np.stack(batch)
        keys = [content_key(crop) for crop in batch] if cache is not None else []
        for job, collected in zip(jobs, parts, strict=True):
            for block, values in zip(collected, _values(job, stacked, keys, cache), strict=True):
                block.append(values)
        done += len(batch)
        if progress is not None:
            progress(done, len(dataset))
    for index, (job, collected) in enumerate(zip(jobs, parts, strict=True)):
        for name, blocks in zip(job.names, collected, strict=True):
            if index < n_embeddings:
                embeddings[name] = np.concatenate(blocks)
            else:
                quality[name] = _no_nan(np.concatenate(blocks)[:, 0].astype(np.float64), name, dataset)
    return Measured(
        {recognizer.name: embeddings[recognizer.name] for recognizer in recognizers},
        {name: quality[name] for name in measure_names(measures)},
    )


def measure_names(measures: Sequence[Measures]) -> list[str]:
    """The names of all measures, in order."""
    return [
        name for one in measures for name in (one.names if isinstance(one, CropMeasures) else (one.name,))
    ]


def measure_details(measures: Sequence[Measures]) -> dict[str, str]:
    """Name → one line on where its scores come from."""
    out: dict[str, str] = {}
    for one in measures:
        if isinstance(one, CropMeasures):
            out.update(zip(one.names, one.details, strict=True))
        else:
            out[one.name] = f"scores from {PurePosixPath(one.source).name}"
    return out


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


def _embedding(recognizer: Recognizer) -> CropMeasures:
    return CropMeasures(
        (recognizer.name,), (recognizer.identity,), ("",), lambda crops: [recognizer.embed(crops)]
    )


def _values(
    job: CropMeasures, crops: ImageArray, keys: Sequence[bytes], cache: VectorCache | None
) -> Iterator[FloatArray]:
    """One (B, D) array a measure; only crops that the cache lacks are run."""
    if cache is None:
        yield from (_columns(values) for values in job.score(crops))
        return
    known = [cache.get(identity, keys) for identity in job.identities]
    todo = {key: row for row, key in enumerate(keys) if any(key not in found for found in known)}
    if todo:
        fresh = job.score(crops[list(todo.values())])
        for identity, found, values in zip(job.identities, known, fresh, strict=True):
            new = dict(zip(todo, _columns(values), strict=True))
            cache.put(identity, new)
            found.update(new)
    for found in known:
        yield np.stack([found[key] for key in keys])


def _columns(values: NDArray[np.floating]) -> FloatArray:
    return np.asarray(values, np.float32).reshape(len(values), -1)


def _no_nan(values: NDArray[np.float64], name: str, dataset: Dataset) -> NDArray[np.float64]:
    bad = np.flatnonzero(np.isnan(values))
    if bad.size:
        raise DataError(f"{name!r} gave NaN for image {dataset.names[bad[0]]!r} ({bad.size} in all).")
    return values


def unique_names(names: Sequence[str], what: str) -> None:
    """Raise UsageError if two of them are equal: results are told apart by name."""
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"two {what} are called {name!r}: give each a name of its own.")
