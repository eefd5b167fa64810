"""The comparisons that figures are made of, and the draws that give their intervals: checked records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from .arrays import as_floats, as_labels, check_lengths, check_no_nan

__all__ = ["Comparisons", "Draws"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Comparisons:
    """Comparisons of two images each; arrays and lists are taken.

    Attributes:
        similarity: (m,) higher = more alike.
        is_genuine: (m,) bool, True for two images of one subject.
        subjects: (m,) the subject of each comparison's first image, any labels; those of non-mated
            comparisons aren't used.
    """

    similarity: NDArray[np.floating]
    is_genuine: NDArray[np.bool_]
    subjects: NDArray[Any]

    def __post_init__(self) -> None:
        object.__setattr__(self, "similarity", as_floats(self.similarity).ravel())
        object.__setattr__(self, "is_genuine", as_labels(self.is_genuine))
        object.__setattr__(self, "subjects", np.asarray(self.subjects).ravel())
        check_lengths("similarity", self.similarity, "is_genuine", self.is_genuine)
        check_lengths("subjects", self.subjects, "is_genuine", self.is_genuine)
        check_no_nan("similarity", self.similarity)

    def __len__(self) -> int:
        return len(self.similarity)


@dataclass(frozen=True, slots=True)
class Draws:
    """How often subjects are drawn with replacement for an interval, and the seed of it.

    Attributes:
        n: at least 1.
        seed: ≥ 0; equal seeds give equal draws.
    """

    n: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        if self.n < 1 or self.seed < 0:
            raise UsageError(
                f"draws must be at least 1, their seed at least 0, but got {self.n} and {self.seed}"
            )
