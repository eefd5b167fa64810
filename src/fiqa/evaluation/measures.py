"""What is evaluated: quality per image from fiqa's methods, from rivals, or from a file; one pass over a set.

Every number that costs a forward pass is kept in a ``VectorCache`` by the pixels it belongs to, so a run that
was stopped, or that asks for one method more, repeats nothing.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, UsageError
from ..scorer import Scorer
from ..types import FloatArray, ImageArray
from .datasets import Dataset, iter_crops
from .recognizers import PrecomputedEmbeddings, Recognizer, VectorCache, content_key
from .rivals import Rival

__all__ = [
    "CropMeasures",
    "ListedScores",
    "Measured",
    "Measures",
    "choose_column",
    "crops_at",
    "from_rival",
    "from_scorer",
    "measure",
    "measure_details",
    "measure_names",
    "read_scores",
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


@dataclass(frozen=True)
class ListedScores:
    """One quality measure that another tool has computed: ``scores`` by path, higher = better.

    ``source``: the file, for messages. A score of −inf stands for an image that the tool refused.
    """

    name: str
    source: str
    scores: Mapping[str, float]

    def lookup(self, names: Sequence[str]) -> NDArray[np.float64]:
        """Scores (len(names),) of a data set's images, found by path or by the end of a path.

        Raises DataError that names the first image without a score, or with two different ones.
        """
        by_end: dict[str, list[str]] = {}
        for path in self.scores:
            by_end.setdefault(PurePosixPath(path).name, []).append(path)
        values = np.empty(len(names))
        missing: list[str] = []
        for row, name in enumerate(names):
            if name in self.scores:
                values[row] = self.scores[name]
                continue
            candidates = by_end.get(PurePosixPath(name).name, ())
            found = {self.scores[path] for path in candidates if path.endswith("/" + name)}
            if len(found) > 1:
                raise DataError(
                    f"{self.source} has {len(found)} different scores for paths that end in {name!r}: give "
                    "the paths below the data set's root."
                )
            if found:
                values[row] = found.pop()
            else:
                missing.append(name)
        if missing:
            raise DataError(
                f"{self.source} has no score for image {missing[0]!r} ({len(missing)} of {len(names)} images "
                "are missing): score every image of the data set."
            )
        return values


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


def choose_column(text: str) -> tuple[Path, str]:
    """``FILE`` or ``FILE:COLUMN`` → the file and the column, by default ``score``."""
    head, colon, tail = text.rpartition(":")
    if colon and not Path(text).exists() and "/" not in tail and "\\" not in tail:
        return Path(head), tail
    return Path(text), "score"


def read_scores(path: str | Path, name: str, column: str = "score") -> ListedScores:
    """Read a CSV with a header, of which the columns ``path`` and ``column`` count, higher = better.

    Two columns without a header are taken as path and score. An empty score is an image that the tool refused
    (no face, unreadable): it counts as the worst, −inf. Raises DataError for a file without these columns, a
    value that is no number, or NaN.
    """
    file = Path(path)
    try:
        with file.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as text:
            rows = [row for row in csv.reader(text) if row]
    except (OSError, csv.Error) as error:
        raise DataError(
            f"the scores {str(path)!r} can't be read ({error}): give a CSV path,score."
        ) from error
    if not rows:
        raise DataError(f"the scores {str(path)!r} are empty: give a CSV path,score.")
    header = rows[0]
    if "path" in header:
        if column not in header:
            raise DataError(f"{path} has no column {column!r}; it has: {', '.join(header)}.")
        at = (header.index("path"), header.index(column))
        face = header.index("face") if "face" in header else None
        rows, first_line = rows[1:], 2
    elif len(header) == 2 and _is_number(header[1]):
        at, face, first_line = (0, 1), None, 1
    else:
        raise DataError(f"{path} has the columns {', '.join(header)}: expected path and {column}.")
    scores: dict[str, float] = {}
    for line, row in enumerate(rows, first_line):
        if len(row) <= max(at):
            raise DataError(f"{path}, row {line} has {len(row)} fields: expected path and {column}.")
        image, value = row[at[0]].replace("\\", "/").removeprefix("./"), row[at[1]].strip()
        if face is not None and len(row) > face and row[face] not in ("", "0"):
            continue  # the largest face stands for an image
        if value and (not _is_number(value) or math.isnan(float(value))):
            raise DataError(
                f"{path}, row {line}: the score of {image!r} is {value!r}; expected a number, or nothing for "
                "an image that has none."
            )
        score = float(value) if value else -math.inf
        if scores.setdefault(image, score) != score:
            raise DataError(f"{path}, row {line}: {image!r} has two different scores.")
    return ListedScores(name, str(path), scores)


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


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def unique_names(names: Sequence[str], what: str) -> None:
    """Raise UsageError if two of them are equal: results are told apart by name."""
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"two {what} are called {name!r}: give each a name of its own.")
