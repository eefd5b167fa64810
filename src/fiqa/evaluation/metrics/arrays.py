"""What a caller gives → the arrays that the figures are made of, checked; shared by all metrics."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import DataError, UsageError


def as_floats(values: ArrayLike) -> NDArray[np.floating]:
    """Numbers as an array; float32 and float64 stay what they are, all others become float64."""
    array = np.asarray(values)
    if array.dtype in (np.float32, np.float64):
        return array
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise UsageError(f"expected numbers, but got an array of {array.dtype}") from error


def as_labels(is_genuine: ArrayLike) -> NDArray[np.bool_]:
    """True/False or 1/0 as a flat bool array."""
    label = np.asarray(is_genuine).ravel()
    if label.dtype != np.bool_:
        if not np.isin(label, (0, 1)).all():
            raise UsageError("is_genuine must be True/False or 1/0, 1 for two images of the same subject")
        label = label.astype(np.bool_)
    return label


def as_codes(subjects: ArrayLike) -> NDArray[np.int64]:
    """Subjects as the numbers 0 … n_subjects − 1."""
    labels = np.asarray(subjects)
    if labels.ndim != 1 or not labels.size:
        raise UsageError(f"subjects must be one label per image, shape (n,), but got {labels.shape}")
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)


def rows_by_subject(subjects: ArrayLike) -> list[NDArray[np.int64]]:
    """The row numbers of each subject's images."""
    label = as_codes(subjects)
    order = np.argsort(label, kind="stable")
    return np.split(order, np.cumsum(np.bincount(label))[:-1])


def as_pair_columns(pairs: ArrayLike, n_images: int) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """Pairs (m, 2) of row numbers below ``n_images`` as two columns."""
    table = np.asarray(pairs)
    if table.ndim != 2 or table.shape[1] != 2 or not np.issubdtype(table.dtype, np.integer):
        raise UsageError(
            f"pairs must be integers of shape (n, 2), but got {table.dtype} of shape {table.shape}"
        )
    if table.size and not (table.min() >= 0 and table.max() < n_images):
        raise UsageError(
            f"pairs hold row numbers from {table.min()} to {table.max()}, but there are {n_images} images"
        )
    return table[:, 0], table[:, 1]


def check_lengths(name_a: str, a: NDArray[np.generic], name_b: str, b: NDArray[np.generic]) -> None:
    """UsageError unless both have as many entries."""
    if len(a) != len(b):
        raise UsageError(f"{name_a} has {len(a)} entries and {name_b} has {len(b)}; they must be the same")


def check_no_nan(name: str, values: NDArray[np.floating]) -> None:
    """DataError if a value is NaN."""
    n_bad = int(np.isnan(values).sum())
    if n_bad:
        raise DataError(f"{n_bad} of {len(values)} values of {name} are NaN; leave those comparisons out")
