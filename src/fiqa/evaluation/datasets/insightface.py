"""InsightFace ``.bin`` files: a pickle of (list of encoded images, list of is-same flags)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError
from ._common import contiguous_folds, existing, subjects_from_pairs
from .pickles import NumberArray, unpickle
from .types import Dataset

_EXPECTED = "an InsightFace .bin: a pickle of (encoded images, is-same flags)"


def read_bin(path: str | Path, name: str | None = None) -> Dataset:
    """Read an InsightFace verification set: LFW, AgeDB-30, CFP-FP, CALFW, CPLFW … as ``.bin``.

    An image that occurs in several pairs is kept once. Subjects come from the mated pairs, folds from the
    order (ten).

    Raises:
        DataError: the file is missing, damaged, or would import anything.
    """
    path = existing(Path(path), _EXPECTED)
    try:
        content = unpickle(path.read_bytes())
        encoded, flags = _two_lists(content)
        is_genuine = np.array([_flag(flag) for flag in flags], dtype=np.bool_)
        images, rows = _distinct(encoded)
    except OSError as error:
        raise DataError(f"{path} can't be read ({error.strerror}): expected {_EXPECTED}") from error
    except DataError as error:
        raise DataError(f"{path} is damaged or not what it seems ({error}): expected {_EXPECTED}") from error
    pairs = np.array(rows, dtype=np.int32).reshape(-1, 2)
    return Dataset(
        name=name or path.stem,
        images=images,
        names=tuple(f"{index:06d}" for index in range(len(images))),
        subjects=subjects_from_pairs(len(images), pairs, is_genuine),
        pairs=pairs,
        is_genuine=is_genuine,
        folds=contiguous_folds(is_genuine),
    )


def _two_lists(content: Any) -> tuple[list[Any], list[Any]]:
    if not isinstance(content, list) or len(content) != 2:
        raise DataError(f"it holds {_kind(content)}, not two lists")
    encoded, flags = content
    if isinstance(flags, NumberArray):
        flags = flags.array.ravel().tolist()
    if not isinstance(encoded, list) or not isinstance(flags, list):
        raise DataError(f"it holds {_kind(encoded)} and {_kind(flags)}, not two lists")
    if not flags or len(encoded) != 2 * len(flags):
        raise DataError(f"it holds {len(encoded)} images for {len(flags)} pairs, not two a pair")
    return encoded, flags


def _distinct(encoded: list[Any]) -> tuple[list[bytes], list[int]]:
    """Each image once, and which of them every place of the list holds."""
    by_object: dict[int, bytes] = {}  # one object may stand in many places: read it once
    first_seen: dict[bytes, int] = {}
    rows = []
    for place, item in enumerate(encoded):
        if id(item) not in by_object:
            by_object[id(item)] = _encoded_image(item, place)
        rows.append(first_seen.setdefault(by_object[id(item)], len(first_seen)))
    return list(first_seen), rows


def _encoded_image(item: Any, place: int) -> bytes:
    if isinstance(item, NumberArray) and item.array.dtype == np.uint8:
        item = item.array.tobytes()
    if not isinstance(item, bytes):
        raise DataError(f"image {place} is {_kind(item)}, not bytes")
    if not item:
        raise DataError(f"image {place} has no bytes")
    return item


def _flag(item: Any) -> bool:
    if isinstance(item, NumberArray) and item.array.size == 1:
        item = item.array.ravel()[0].item()
    if isinstance(item, bool | int | float) and item in (0, 1):
        return bool(item)
    shown = f"flag {item}" if isinstance(item, int | float) else f"a flag that is {_kind(item)}"
    raise DataError(f"it holds is-same {shown}, not a bool")


def _kind(value: Any) -> str:
    """What a value is, for people: the value itself may be of any size."""
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return "an array" if isinstance(value, NumberArray) else f"a {type(value).__name__}"
