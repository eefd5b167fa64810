"""Folders with a list of pairs: LFW and XQLFW, CALFW and CPLFW, and CFP's own protocol folder."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

import numpy as np

from ...errors import DataError, UsageError
from ._common import (
    ImageList,
    Missing,
    bad_line,
    contiguous_folds,
    existing,
    find_image,
    first_existing,
    lines_of,
    subjects_from_pairs,
    whole_at,
)
from .types import Dataset

PAIR_FILES = ("pairs.txt", "xqlfw_pairs.txt", "pairs_CALFW.txt", "pairs_CPLFW.txt")
_LFW_PAIR = "'name n1 n2' or 'name1 n1 name2 n2'"
_EXPECTED = (
    "a pair list: LFW's (first line '10 300', then 'name n1 n2' and 'name1 n1 name2 n2') "
    "or CALFW's (two lines 'file flag' a pair)"
)


def read_pairs(root: str | Path, pairs: str | Path | None = None, name: str | None = None) -> Dataset:
    """Read a folder of images and its pair list.

    Args:
        root: the folder with the images: ``NAME/NAME_0001.jpg`` for LFW and XQLFW, or the files that the list
            names, here or in ``aligned images`` or ``images``, for CALFW and CPLFW.
        pairs: the pair list; by default a file of one of the usual names in ``root``.
        name: of the data set; by default the folder's.

    Raises:
        DataError: the folder, the list or an image that it names is missing, or a line does not parse.
    """
    root = existing(Path(root), "a folder of images with a pair list")
    default = [folder / file for folder in (root, root.parent) for file in PAIR_FILES]
    path = Path(pairs) if pairs is not None else first_existing(default, _EXPECTED)
    lines = lines_of(path, _EXPECTED)
    header = lines[0][1].split()
    if len(header) <= 2 and all(field.isdigit() for field in header):
        return _read_lfw(root, path, lines, name or root.name)
    return _read_flagged(root, path, lines, name or root.name)


def _read_lfw(root: Path, path: Path, lines: list[tuple[int, str]], name: str) -> Dataset:
    # the header is '10 300' (folds, pairs of each kind a fold) or '1100' (pairs of each kind, one fold)
    at, line = lines[0]
    header = [whole_at(path, at, line, text, "LFW's '10 300', folds and pairs") for text in line.split()]
    n_folds, fold_size = header if len(header) == 2 else (1, header[0])
    if n_folds < 1 or fold_size < 1 or len(lines) - 1 != 2 * n_folds * fold_size:
        raise DataError(
            f"{path} has {len(lines) - 1} pairs, but its first line {lines[0][1]!r} announces "
            f"{n_folds} × 2 × {fold_size}: the file is cut or not {_EXPECTED}"
        )
    images = ImageList()
    missing = Missing()
    subjects: list[str] = []

    def image(person: str, number: str, at: int, line: str) -> int:
        shot = whole_at(path, at, line, number, _LFW_PAIR)
        name = f"{person}/{person}_{shot:04d}"
        found = find_image(root, name)
        if found is None:
            missing.add(name, at)
            return 0
        index = images.add(found)
        if index == len(subjects):
            subjects.append(person)
        return index

    pairs, is_genuine = [], []
    for at, line in lines[1:]:
        fields = line.split("\t") if "\t" in line else line.split()
        if len(fields) == 3:
            person, left, right = fields
            pairs.append((image(person, left, at, line), image(person, right, at, line)))
        elif len(fields) == 4:
            pairs.append((image(fields[0], fields[1], at, line), image(fields[2], fields[3], at, line)))
        else:
            raise bad_line(path, at, line, _LFW_PAIR)
        is_genuine.append(len(fields) == 3)
    missing.check(path, root)
    return Dataset(
        name=name,
        images=tuple(images.paths),
        names=images.names(root),
        subjects=np.array(subjects, dtype=np.str_),
        pairs=np.array(pairs, dtype=np.int32),
        is_genuine=np.array(is_genuine, dtype=np.bool_),
        folds=np.repeat(np.arange(n_folds, dtype=np.int16), 2 * fold_size),
    )


def _read_flagged(root: Path, path: Path, lines: list[tuple[int, str]], name: str) -> Dataset:
    # CALFW and CPLFW: two lines a pair, each 'file flag'; flag 0 is non-mated, anything else mated
    if len(lines) % 2:
        raise DataError(f"{path} has {len(lines)} lines: expected two a pair ('file flag'); the file is cut")
    images, missing = ImageList(), Missing()
    rows, flags = [], []
    for at, line in lines:
        fields = line.rsplit(maxsplit=1)
        if len(fields) != 2 or not re.fullmatch(r"-?[0-9]{1,9}", fields[1]):
            raise bad_line(path, at, line, "'file flag' with an integer flag")
        found = next(
            (
                hit
                for place in ("", "aligned images", "images")
                if (hit := find_image(root / place, fields[0]))
            ),
            None,
        )
        if found is None:
            missing.add(fields[0], at)
        else:
            rows.append(images.add(found))
        flags.append(int(fields[1]) > 0)
    missing.check(path, root)
    first, second = np.array(flags, dtype=np.bool_).reshape(-1, 2).T
    if (first != second).any():
        at, line = lines[2 * int(np.argmax(first != second))]
        raise DataError(f"{path}, line {at}: {line!r} and the next line, its pair, have different flags")
    pairs = np.array(rows, dtype=np.int32).reshape(-1, 2)
    return Dataset(
        name=name,
        images=tuple(images.paths),
        names=images.names(root),
        subjects=subjects_from_pairs(len(images.paths), pairs, first),
        pairs=pairs,
        is_genuine=first,
        folds=contiguous_folds(first),
    )


def read_cfp(root: str | Path, protocol: str = "FP", name: str | None = None) -> Dataset:
    """Read CFP as its owners hand it out: ``Protocol/Pair_list_{F,P}.txt``, ``Protocol/Split``, ``Data``.

    Args:
        root: the folder that holds ``Protocol`` and ``Data``.
        protocol: ``"FP"`` frontal against profile, ``"FF"`` frontal against frontal.
        name: of the data set; by default ``cfp-fp`` or ``cfp-ff``.
    """
    if protocol not in ("FF", "FP"):
        raise UsageError(f"protocol must be 'FP' or 'FF', but got {protocol!r}")
    root = existing(Path(root), "CFP's root folder, with Protocol and Data in it").resolve()
    frontal = _cfp_list(root, "Pair_list_F.txt")
    other = frontal if protocol == "FF" else _cfp_list(root, "Pair_list_P.txt")
    split = existing(root / "Protocol" / "Split" / protocol, "CFP's folders 01 … 10 of same.txt and diff.txt")
    folders = sorted(path for path in split.iterdir() if path.is_dir())
    if not folders:
        raise DataError(f"{split} holds no fold: expected folders 01 … 10 of same.txt and diff.txt")
    images = ImageList()
    missing = Missing()
    subjects: list[str] = []
    pairs, is_genuine, folds = [], [], []

    def image(listed: dict[int, PurePosixPath], number: int, path: Path, at: int, line: str) -> int:
        if number not in listed:
            raise bad_line(path, at, line, f"two numbers of Pair_list_{{F,P}}.txt (1 … {max(listed)})")
        found = find_image(root, str(listed[number]))
        if found is None:
            missing.add(str(listed[number]), at)
            return 0
        index = images.add(found)
        if index == len(subjects):
            subjects.append(listed[number].parts[-3])  # <person>/<frontal|profile>/<file>
        return index

    for fold, folder in enumerate(folders):
        for file, genuine in (("same.txt", True), ("diff.txt", False)):
            path = folder / file
            for at, line in lines_of(path, "CFP's pairs, 'i,j' a line"):
                match = re.fullmatch(r"([0-9]{1,9})\s*,\s*([0-9]{1,9})", line)
                if match is None:
                    raise bad_line(path, at, line, "two numbers 'i,j'")
                left, right = int(match[1]), int(match[2])
                pairs.append((image(frontal, left, path, at, line), image(other, right, path, at, line)))
                is_genuine.append(genuine)
                folds.append(fold)
    missing.check(split, root)
    return Dataset(
        name=name or f"cfp-{protocol.lower()}",
        images=tuple(images.paths),
        names=images.names(root),
        subjects=np.array(subjects, dtype=np.str_),
        pairs=np.array(pairs, dtype=np.int32),
        is_genuine=np.array(is_genuine, dtype=np.bool_),
        folds=np.array(folds, dtype=np.int16),
    )


def _cfp_list(root: Path, file: str) -> dict[int, PurePosixPath]:
    # '17 ../Data/Images/002/frontal/07.jpg', relative to the Protocol folder
    path = root / "Protocol" / file
    listed: dict[int, PurePosixPath] = {}
    for at, line in lines_of(path, "CFP's image list, 'number ../Data/Images/…' a line"):
        fields = line.split(maxsplit=1)
        if len(fields) != 2:
            raise bad_line(path, at, line, "'number ../Data/Images/…'")
        number = whole_at(path, at, line, fields[0], "'number ../Data/Images/…'")
        image = PurePosixPath(fields[1].replace("\\", "/").removeprefix("../"))
        if len(image.parts) < 3 or ".." in image.parts or image.is_absolute():
            raise bad_line(path, at, line, f"a path below {root}, '../Data/Images/<person>/<view>/<file>'")
        listed[number] = image
    return listed
