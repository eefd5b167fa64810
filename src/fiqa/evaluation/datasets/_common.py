"""What several readers share: text files with clear errors, images by name, folds, subjects from pairs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError

IMAGE_SUFFIXES = (".jpg", ".png", ".jpeg", ".bmp", ".webp")


def existing(path: Path, expected: str) -> Path:
    """The path itself if it exists; else a DataError that says what was expected there."""
    if not path.exists():
        raise DataError(f"{path} is missing: expected {expected}")
    return path


def first_existing(candidates: Sequence[Path], expected: str) -> Path:
    """The first path that exists; else a DataError that lists where it was looked for."""
    for path in candidates:
        if path.exists():
            return path
    raise DataError(f"none of {', '.join(map(str, candidates))} exists: expected {expected}")


def lines_of(path: Path, expected: str) -> list[tuple[int, str]]:
    """(line number from 1, text) of every line that is not blank."""
    try:
        text = existing(path, expected).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as text ({error}): expected {expected}") from error
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not lines:
        raise DataError(f"{path} is empty: expected {expected}")
    return lines


def bad_line(path: Path, number: int, line: str, expected: str) -> DataError:
    """The error for a line that does not parse."""
    shown = line if len(line) <= 80 else line[:77] + "..."
    return DataError(f"{path}, line {number}: {shown!r} is not {expected}")


def find_image(stem: Path) -> Path | None:
    """The image file with this path, as it is or with one of the usual suffixes; None if there is none."""
    if stem.suffix.lower() in IMAGE_SUFFIXES and stem.is_file():
        return stem
    for suffix in IMAGE_SUFFIXES:
        for candidate in (stem.with_name(stem.name + suffix), stem.with_suffix(suffix)):
            if candidate.is_file():
                return candidate
    return None


def images_below(root: Path) -> list[Path]:
    """Every image file below ``root``, sorted, hidden ones left out."""
    return sorted(
        path
        for path in root.rglob("*")
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".") and path.is_file()
    )


def name_below(root: Path, path: Path) -> str:
    """The stable name of an image: its path below the root, with forward slashes."""
    return path.relative_to(root).as_posix()


def contiguous_folds(is_genuine: NDArray[np.bool_], n_folds: int = 10) -> NDArray[np.int16]:
    """Folds (P,) for a pair list in its published order: equal runs of the mated and of the non-mated pairs.

    For LFW's order (300 mated, then 300 non-mated, ten times) these are the official folds, and a list that
    has all mated pairs first still gets ten balanced ones.
    """
    folds = np.zeros(len(is_genuine), dtype=np.int16)
    for value in (True, False):
        members = np.flatnonzero(is_genuine == value)
        folds[members] = np.arange(len(members)) * n_folds // max(len(members), 1)
    return folds


def subjects_from_pairs(
    n_items: int, pairs: NDArray[np.integer], is_genuine: NDArray[np.bool_]
) -> NDArray[np.str_]:
    """Labels (n_items,) where no identity is given: items connected by mated pairs share one.

    Two labels may still be the same person; what it guarantees is that no mated pair is split, which is what
    a resampling over subjects needs.
    """
    parent = list(range(n_items))

    def root_of(item: int) -> int:
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    for left, right in pairs[is_genuine].tolist():
        a, b = root_of(left), root_of(right)
        parent[max(a, b)] = min(a, b)
    return np.array([f"s{root_of(item)}" for item in range(n_items)], dtype=np.str_)


class ImageList:
    """Collects images in order of first mention, each once."""

    def __init__(self) -> None:
        self.paths: list[Path] = []
        self._index: dict[Path, int] = {}

    def add(self, path: Path) -> int:
        """Number of this image."""
        if path not in self._index:
            self._index[path] = len(self.paths)
            self.paths.append(path)
        return self._index[path]

    def names(self, root: Path) -> tuple[str, ...]:
        """Stable names of all images."""
        return tuple(name_below(root, path) for path in self.paths)


def missing_images(kind: str, missing: Iterable[str], root: Path) -> DataError:
    """The error for images that a list names and the folder does not hold."""
    names = list(missing)
    shown = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
    return DataError(f"{kind}: {len(names)} of the images it names are not below {root}: {shown}")
