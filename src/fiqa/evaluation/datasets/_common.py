"""What several readers share: text files with clear errors, images by name, folds, subjects from pairs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ... import specs
from ...errors import DataError
from ...images.formats import SUFFIXES


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
        raise DataError(f"{path} can't be read as text ({error}): expected {expected}") from error
    # not splitlines, which also splits at characters that editors don't count as the end of a line
    lines = [(number, line.strip()) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not lines:
        raise DataError(f"{path} is empty: expected {expected}")
    return lines


def bad_line(path: Path, number: int, line: str, expected: str) -> DataError:
    """The error for a line that does not parse."""
    return DataError(f"{path}, line {number}: {shortened(line)!r} is not {expected}")


def shortened(text: str, most: int = 80) -> str:
    """The text, or its beginning where it is too long to read."""
    return text if len(text) <= most else text[: most - 3] + "..."


def whole_at(path: Path, number: int, line: str, text: str, expected: str, least: int = 0) -> int:
    """A whole number ≥ ``least`` that ``text``, a part of this line, must be; in plain digits."""
    try:
        value = specs.whole(text)
    except ValueError:
        value = least - 1
    if value < least:
        raise bad_line(path, number, line, expected)
    return value


def find_image(root: Path, name: str) -> Path | None:
    """The image below ``root`` of this name, as it is or with a usual suffix; None if there is none.

    A name that leads out of the root, or that no file can have, is none.
    """
    stem = root / name
    if Path(name).is_absolute() or ".." in Path(name).parts or not Path(name).name:
        return None
    candidates = [stem] if stem.suffix.lower() in SUFFIXES else []
    for suffix in SUFFIXES:
        candidates += [stem.with_name(stem.name + suffix), stem.with_suffix(suffix)]
    try:
        return next((path for path in candidates if path.is_file()), None)
    except (OSError, ValueError):  # a name of more than 255 bytes, or with a zero byte
        return None


def images_below(root: Path) -> list[Path]:
    """Every image file below ``root``, sorted, hidden ones left out."""
    return sorted(
        path
        for path in root.rglob("*")
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
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


class Missing:
    """Collects the images that a list names and the folder does not hold."""

    def __init__(self) -> None:
        self._line_of: dict[str, int] = {}

    def add(self, name: str, line: int) -> None:
        """Note an image, by the name in the list, and the first line that names it."""
        self._line_of.setdefault(name, line)

    def check(self, kind: str | Path, root: Path) -> None:
        """DataError if there is any: it says how many, and the first three with their lines."""
        if not self._line_of:
            return
        some = [f"{shortened(name)} (line {line})" for name, line in list(self._line_of.items())[:3]]
        shown = ", ".join(some) + (", …" if len(self._line_of) > 3 else "")
        raise DataError(f"{kind}: {len(self._line_of)} of the images it names are not below {root}: {shown}")
