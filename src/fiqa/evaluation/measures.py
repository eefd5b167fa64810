"""What can rate face images: a scorer, a rival, a function, scores from a file or an array → a Measure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..scorer import Scorer
from ..types import ImageArray
from .metrics.arrays import as_floats
from .score_lists import ListedScores, choose_column, read_scores

__all__ = ["Measure", "as_measure", "as_measures", "names_of", "unique_names"]

Values = Sequence[NDArray[np.floating]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One quality measure, or several that come from one pass.

    Attributes:
        names: what tables call them.
        details: one line per measure on where its values come from.
        specs: what a calibration profile calls them; by default the names.
        identities: a text per measure that changes whenever its values would, for the cache; empty: its
            values are not kept.
        of_crops: uint8 (B, 112, 112, 3) RGB → one (B,) array per measure, higher = better; or None and
        of_names: the names of a data set's n images → one (n,) array per measure.
    """

    names: tuple[str, ...]
    details: tuple[str, ...]
    specs: tuple[str, ...] = ()
    identities: tuple[str, ...] = ()
    of_crops: Callable[[ImageArray], Values] | None = None
    of_names: Callable[[Sequence[str]], Values] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "specs", self.specs or self.names)
        if (self.of_crops is None) == (self.of_names is None):
            raise UsageError(f"measure {', '.join(self.names)} must have either of_crops or of_names")
        lengths = {len(self.names), len(self.details), len(self.specs), len(self.identities or self.names)}
        if len(lengths) > 1 or not self.names:
            raise UsageError(f"measure {', '.join(self.names)} must have a detail and an identity per name")


def as_measure(given: Any, name: str | None = None) -> Measure:
    """Whatever rates faces, as a Measure.

    Args:
        given: a :class:`fiqa.Scorer` (all its methods, in one pass); a rival (anything with ``name``,
            ``identity`` and ``score_crops``); a function from crops uint8 (B, 112, 112, 3) RGB to (B,);
            numbers (n,), one per image of the data set in its order; {image name: number}; a CSV of path and
            score, as ``FILE`` or ``FILE:COLUMN``. Higher = better everywhere.
        name: what tables call it; by default its own, the function's or the file's.

    Raises:
        UsageError: it is none of these.
        DataError: the file is missing or holds no scores.
    """
    if isinstance(given, Measure):
        return given
    if isinstance(given, Scorer):
        return _of_scorer(given)
    if isinstance(given, str | Path):
        path, column = choose_column(str(given))
        given = read_scores(path, name or path.stem, column)
    elif isinstance(given, Mapping):
        given = ListedScores(name or "scores", "the scores given", given)
    if isinstance(given, ListedScores):
        return _of_list(given, name)
    if hasattr(given, "score_crops") and hasattr(given, "identity"):
        return Measure(
            names=(name or given.name,),
            details=(f"{given.name}; {given.passes:g} forward passes of its network per crop",),
            identities=(given.identity,),
            of_crops=lambda crops: [given.score_crops(crops)],
        )
    if callable(given):
        own = name or str(getattr(given, "__name__", type(given).__name__))
        return Measure(names=(own,), details=("a function",), of_crops=lambda crops: [given(crops)])
    if isinstance(given, np.ndarray | list | tuple):
        return _of_array(given, name or "scores")
    raise UsageError(
        "a measure must be a Scorer, a rival, a function of crops, numbers, or a CSV, but got "
        f"{type(given).__name__}"
    )


def as_measures(given: Any) -> list[Measure]:
    """Measures from one of what :func:`as_measure` takes, or from a list of them."""
    several = isinstance(given, list | tuple) and not (
        given and all(isinstance(one, int | float) for one in given)
    )
    return [as_measure(one) for one in (given if several else [given])]


def _of_scorer(scorer: Scorer) -> Measure:
    # A card need not know the hash of its weights, so the scores of two fixed crops stand for them.
    probe = np.random.default_rng(0).integers(0, 256, (2, 112, 112, 3), dtype=np.uint8)
    fingerprint, specs = scorer.score_crops(probe), scorer.specs
    identities = tuple(
        f"fiqa:{scorer.card.name}:{scorer.card.sha256}:{scorer.engine}:{scorer.used[spec]}:"
        f"{fingerprint[spec].tobytes().hex()}"
        for spec in specs
    )

    def score(crops: ImageArray) -> Values:
        found = scorer.score_crops(crops)
        return [found[spec] for spec in specs]

    return Measure(
        names=specs,
        details=tuple(f"{scorer.used[spec]} of {scorer.card.name}, {scorer.engine}" for spec in specs),
        specs=tuple(scorer.used[spec] for spec in specs),
        identities=identities,
        of_crops=score,
    )


def _of_list(scores: ListedScores, name: str | None) -> Measure:
    detail = f"scores from {PurePosixPath(scores.source).name}"
    return Measure(
        names=(name or scores.name,), details=(detail,), of_names=lambda names: [scores.lookup(names)]
    )


def _of_array(given: Any, name: str) -> Measure:
    values = as_floats(given).ravel().astype(np.float64)

    def of_names(names: Sequence[str]) -> Values:
        if len(names) != len(values):
            raise UsageError(f"{name} has {len(values)} numbers for {len(names)} images: give one per image")
        return [values]

    return Measure(names=(name,), details=("numbers given",), of_names=of_names)


def names_of(measures: Sequence[Measure]) -> list[str]:
    """The names of all measures, in order."""
    return [name for one in measures for name in one.names]


def unique_names(names: Sequence[str], what: str) -> None:
    """Raise UsageError if two of them are equal: results are told apart by name."""
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"two {what} are called {name!r}: give each a name of its own")
