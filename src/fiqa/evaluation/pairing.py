"""A data set → which of its images (or templates) are compared with which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError, UsageError
from .datasets import Dataset
from .datasets._common import subjects_from_pairs
from .metrics.arrays import as_labels, as_pair_columns, check_lengths
from .metrics.comparisons import Comparisons
from .metrics.verification import mated_pairs, non_mated_pairs
from .results import Settings

__all__ = ["Pairing", "pairing_of"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pairing:
    """Pairs of the n items of a data set; arrays and lists are taken.

    Attributes:
        pairs: (m, 2) row numbers of items.
        is_genuine: (m,) bool, True for two items of one subject.
        subjects: (n,) who is on each item, any labels.
        folds: (m,) the cross-validation fold of each pair, or None.
    """

    pairs: NDArray[np.integer]
    is_genuine: NDArray[np.bool_]
    subjects: NDArray[Any]
    folds: NDArray[np.integer] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "subjects", np.asarray(self.subjects).ravel())
        first, second = as_pair_columns(self.pairs, len(self.subjects))
        object.__setattr__(self, "pairs", np.stack([first, second], axis=1))
        object.__setattr__(self, "is_genuine", as_labels(self.is_genuine))
        check_lengths("pairs", first, "is_genuine", self.is_genuine)

    def compared(self, similarity: ArrayLike) -> Comparisons:
        """The pairs with their similarity (m,), owned by the subject of the first item."""
        owners = self.subjects[self.pairs[:, 0]]
        return Comparisons(similarity=np.asarray(similarity), is_genuine=self.is_genuine, subjects=owners)


def pairing_of(dataset: Dataset, settings: Settings | None = None) -> Pairing:
    """Which comparisons to make: the listed ones, or all against all, sampled as ``settings`` say.

    Raises:
        UsageError: all-against-all of a set that tells no identities or has templates.
        DataError: a set without mated or non-mated pairs.
    """
    settings = settings or Settings()
    subjects = dataset.subjects
    if dataset.pairs is not None and dataset.is_genuine is not None:
        inferred = subjects_from_pairs(dataset.n_items, dataset.pairs, dataset.is_genuine)
        if settings.pairs == "listed":
            _both_kinds(dataset, dataset.is_genuine)
            return Pairing(
                pairs=dataset.pairs,
                is_genuine=dataset.is_genuine,
                subjects=inferred if subjects is None else subjects,
                folds=dataset.folds,
            )
        if subjects is None or dataset.templates is not None or np.array_equal(subjects, inferred):
            raise UsageError(
                f"data set {dataset.name!r} tells which pairs are mated but not who is on each image, so it "
                "can't be compared all against all: use its listed pairs"
            )
    if subjects is None:
        raise UsageError(f"data set {dataset.name!r} has neither pairs nor subjects")
    mated = mated_pairs(subjects, settings.per_subject, settings.seed)
    _, counts = np.unique(subjects, return_counts=True)
    n_possible = int((len(subjects) ** 2 - (counts.astype(np.int64) ** 2).sum()) // 2)
    non_mated = non_mated_pairs(subjects, min(settings.n_non_mated, n_possible), settings.seed)
    is_genuine = np.arange(len(mated) + len(non_mated)) < len(mated)
    _both_kinds(dataset, is_genuine)
    return Pairing(pairs=np.concatenate([mated, non_mated]), is_genuine=is_genuine, subjects=subjects)


def _both_kinds(dataset: Dataset, is_genuine: NDArray[np.bool_]) -> None:
    if not is_genuine.any():
        raise DataError(f"data set {dataset.name!r} has no mated pair: it needs two images of a subject")
    if is_genuine.all():
        raise DataError(f"data set {dataset.name!r} has no non-mated pair: it needs two subjects")
