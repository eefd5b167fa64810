"""IJB-C in the layout that InsightFace prepared: loose crops, landmarks, templates and their pairs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ._common import bad_line, existing, first_existing, lines_of, missing_images, subjects_from_pairs
from .types import Dataset, Templates

_POINTS = "ijbc_name_5pts_score.txt"
_MEDIA = "ijbc_face_tid_mid.txt"
_LABELS = "ijbc_template_pair_label.txt"


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
    names, numbers = _points(meta / _POINTS)
    present = {path.name for path in folder.iterdir()}
    if missing := [name for name in names if name not in present]:
        raise missing_images(str(meta / _POINTS), missing, folder)
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
        landmarks=numbers[:, :10].reshape(-1, 5, 2),
    )


def _points(path: Path) -> tuple[list[str], NDArray[np.float32]]:
    expected = "'file x1 y1 … x5 y5 score'"
    names, rows = [], []
    for at, line in lines_of(path, f"IJB-C's landmarks, {expected} a line"):
        fields = line.split()
        try:
            row = [float(value) for value in fields[1:]]
        except ValueError:
            raise bad_line(path, at, line, expected) from None
        if len(row) != 11 or not np.isfinite(row).all():
            raise bad_line(path, at, line, expected)
        names.append(fields[0])
        rows.append(row)
    if len(set(names)) != len(names):
        raise DataError(f"{path} names an image twice: expected every image once")
    return names, np.array(rows, dtype=np.float32)


def _templates(path: Path, row_of: dict[str, int]) -> Templates:
    expected = "'file template medium'"
    images, template_ids, media = [], [], []
    for at, line in lines_of(path, f"IJB-C's templates, {expected} a line"):
        fields = line.split()
        if len(fields) != 3 or not fields[1].isdigit() or not fields[2].lstrip("-").isdigit():
            raise bad_line(path, at, line, expected)
        if fields[0] not in row_of:
            raise bad_line(path, at, line, f"about an image that {_POINTS} lists")
        images.append(row_of[fields[0]])
        template_ids.append(int(fields[1]))
        media.append(int(fields[2]))
    ids, rows = np.unique(np.array(template_ids, dtype=np.int64), return_inverse=True)
    return Templates(ids, rows.astype(np.int32), np.array(images, np.int32), np.array(media, np.int64))


def _pairs(path: Path, ids: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    expected = "'template1 template2 label' a line, label 0 or 1"
    existing(path, f"IJB-C's pairs, {expected}")
    try:
        table = np.loadtxt(path, dtype=np.int32, ndmin=2)
    except ValueError as error:
        raise DataError(f"{path} does not parse ({error}): expected {expected}") from error
    if table.shape[0] == 0 or table.shape[1] != 3 or not np.isin(table[:, 2], (0, 1)).all():
        raise DataError(f"{path} is a table of {table.shape}: expected {expected}")
    rows = np.searchsorted(ids, table[:, :2]).astype(np.int32)
    known = ids[np.minimum(rows, len(ids) - 1)] == table[:, :2]
    if not known.all():
        at = int(np.argmin(known.all(axis=1)))
        stranger = table[at, :2][~known[at]][0]
        raise DataError(f"{path}, row {at + 1}: template {stranger} is not in {_MEDIA}")
    return rows, table[:, 2].astype(np.bool_)
