"""IJB-C in the layout that InsightFace prepared: loose crops, landmarks, templates and their pairs."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ._common import (
    Missing,
    bad_line,
    existing,
    first_existing,
    lines_of,
    shortened,
    subjects_from_pairs,
    whole_at,
)
from .types import Dataset, Templates

_POINTS = "ijbc_name_5pts_score.txt"
_MEDIA = "ijbc_face_tid_mid.txt"
_LABELS = "ijbc_template_pair_label.txt"
_NUMBERS = re.compile(r"[0-9eE.+ -]*")
_FAR = 10**18


def read_ijbc(root: str | Path, name: str = "ijb-c") -> Dataset:
    """Read IJB-C: 1:1 comparisons of templates (19,557 mated, 15,638,932 non-mated in the full set).

    Args:
        root: a folder with ``loose_crop/`` and, in ``meta/`` or beside it, the three ``ijbc_*.txt`` files.
        name: of the data set.

    ``pairs`` and ``subjects`` are of templates; the images are loose crops to be aligned with ``landmarks``.
    """
    root = existing(Path(root), f"IJB-C's folder with loose_crop/ and meta/{_POINTS}")
    folder = first_existing([root / "loose_crop", root / "images"], "IJB-C's folder of loose crops")
    meta = root / "meta" if (root / "meta").is_dir() else root
    line_of, numbers = _points(meta / _POINTS)
    names = list(line_of)
    present, missing = {path.name for path in folder.iterdir()}, Missing()
    for image, line in line_of.items():
        if image not in present:
            missing.add(image, line)
    missing.check(meta / _POINTS, folder)
    templates = _templates(meta / _MEDIA, {image: row for row, image in enumerate(names)})
    pairs, is_genuine = _pairs(meta / _LABELS, templates.ids)
    return Dataset(
        name=name,
        images=tuple(folder / image for image in names),
        names=tuple(names),
        subjects=subjects_from_pairs(len(templates.ids), pairs, is_genuine),
        pairs=pairs,
        is_genuine=is_genuine,
        templates=templates,
        landmarks=numbers.reshape(-1, 5, 2),
    )


def _points(path: Path) -> tuple[dict[str, int], NDArray[np.float32]]:
    """Image → its line, in the order of the list, and (n, 10) numbers."""
    expected = "'file x1 y1 … x5 y5 score'"
    line_of: dict[str, int] = {}
    rows = []
    for at, line in lines_of(path, f"IJB-C's landmarks, {expected} a line"):
        fields = line.split()
        try:
            row = [float(value) for value in fields[1:]]
        except ValueError:
            row = []
        # of what float takes beyond plain numbers, nothing has these letters alone
        if len(row) != 11 or not _NUMBERS.fullmatch(" ".join(fields[1:])) or not np.isfinite(row).all():
            raise bad_line(path, at, line, expected)
        if line_of.setdefault(fields[0], at) != at:
            raise bad_line(path, at, line, f"about a new image: line {line_of[fields[0]]} names it already")
        rows.append(row[:10])
    return line_of, np.array(rows, dtype=np.float32)


def _templates(path: Path, row_of: dict[str, int]) -> Templates:
    expected = "'file template medium'"
    images, template_ids, media = [], [], []
    for at, line in lines_of(path, f"IJB-C's templates, {expected} a line"):
        fields = line.split()
        if len(fields) != 3:
            raise bad_line(path, at, line, expected)
        if fields[0] not in row_of:
            raise bad_line(path, at, line, f"about an image that {_POINTS} lists")
        images.append(row_of[fields[0]])
        template_ids.append(whole_at(path, at, line, fields[1], expected))
        media.append(whole_at(path, at, line, fields[2], expected, least=-_FAR))
    ids, rows = np.unique(np.array(template_ids, dtype=np.int64), return_inverse=True)
    return Templates(
        ids=ids,
        rows=rows.astype(np.int32),
        images=np.array(images, np.int32),
        media=np.array(media, np.int64),
    )


def _pairs(path: Path, ids: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    expected = "'template1 template2 label' a line, label 0 or 1"
    existing(path, f"IJB-C's pairs, {expected}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of an empty file, which is an error below
            table = np.loadtxt(path, dtype=np.int32, ndmin=2, comments=None, encoding="ascii")
    except (ValueError, OSError) as error:
        raise DataError(f"{path} does not parse ({shortened(str(error))}): expected {expected}") from error
    if table.shape[0] == 0 or table.shape[1] != 3:
        raise DataError(f"{path} is a table of {table.shape}: expected {expected}")
    if not (good := np.isin(table[:, 2], (0, 1))).all():
        at = int(np.argmin(good))
        raise DataError(f"{path}, row {at + 1}: label {table[at, 2]} is not 0 or 1: expected {expected}")
    rows = np.searchsorted(ids, table[:, :2]).astype(np.int32)
    known = ids[np.minimum(rows, len(ids) - 1)] == table[:, :2]
    if not known.all():
        at = int(np.argmin(known.all(axis=1)))
        stranger = table[at, :2][~known[at]][0]
        raise DataError(f"{path}, row {at + 1}: template {stranger} is not in {_MEDIA}")
    return rows, table[:, 2].astype(np.bool_)
