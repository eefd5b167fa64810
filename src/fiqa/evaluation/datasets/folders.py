"""Sets that compare all against all: any folder of subjects, Adience, SynFIQA."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np

from ... import specs
from ...errors import DataError
from ._common import Missing, bad_line, existing, find_image, images_below, lines_of, name_below
from .types import Dataset

SYNFIQA_GROUPS = (*(f"Q{level}" for level in range(10)), "Ref")
"""SynFIQA's quality groups, worst first."""


def read_folder(root: str | Path, name: str | None = None) -> Dataset:
    """Read any folder with one sub-folder a subject; every image is compared with every other.

    Images directly in ``root`` belong to nobody and are refused with a DataError, as is a folder with none.
    """
    root = existing(Path(root), "a folder with one sub-folder of images a subject")
    images = images_below(root)
    stray = [path for path in images if path.parent == root]
    if not images or stray:
        found = f"image {stray[0].name} in no sub-folder" if stray else "no image"
        raise DataError(f"{root} has {found}: expected one sub-folder of images a subject")
    return Dataset(
        name=name or root.name,
        images=tuple(images),
        names=tuple(name_below(root, path) for path in images),
        subjects=np.array([path.relative_to(root).parts[0] for path in images], dtype=np.str_),
    )


_ADIENCE_COLUMNS = ("user_id", "original_image", "face_id", "age", "gender")


def read_adience(root: str | Path, faces: str | Path | None = None, name: str = "adience") -> Dataset:
    """Read Adience: ``fold_*_data.txt`` (tab-separated, with a header) and the faces they list.

    Args:
        root: the folder with the fold files.
        faces: the folder with ``<user_id>/landmark_aligned_face.<face_id>.<file>`` or
            ``<user_id>/coarse_tilt_aligned_face.<face_id>.<file>``; by default ``aligned``, ``faces`` or the
            root itself.
        name: of the data set.

    A subject is a ``face_id``; groups are ``f``, ``m``, ``u`` (as annotated) or ``""`` (no annotation).
    """
    root = existing(Path(root), "Adience's folder with fold_0_data.txt … fold_4_data.txt")
    fold_files = sorted(root.glob("fold_*_data.txt"))
    if not fold_files:
        raise DataError(f"{root} has no fold_*_data.txt: expected Adience's five fold files")
    if faces is not None:
        places = [existing(Path(faces), "the folder of Adience's aligned faces")]
    else:
        places = [place for place in (root / "aligned", root / "faces", root) if place.is_dir()]
    images: list[Path] = []
    names, subjects, genders = [], [], []
    missing = Missing()
    for path in fold_files:
        (_, first), *rows = lines_of(path, "a fold of Adience")
        header = first.split("\t")
        if any(column not in header for column in _ADIENCE_COLUMNS):
            raise bad_line(path, 1, first, f"a header with {', '.join(_ADIENCE_COLUMNS)}")
        columns = [header.index(column) for column in _ADIENCE_COLUMNS]
        for number, line in rows:
            row = line.split("\t")
            if len(row) <= max(columns):
                raise bad_line(path, number, line, f"a row of {len(header)} tab-separated fields")
            user, file, face, _, gender = (row[column] for column in columns)
            candidates = (
                (place, find_image(place, f"{user}/{kind}_aligned_face.{face}.{file}"))
                for place in places
                for kind in ("landmark", "coarse_tilt")
            )
            found = next(((place, image) for place, image in candidates if image is not None), None)
            if found is None:
                missing.add(f"{user}/landmark_aligned_face.{face}.{file}", number)
                continue
            images.append(found[1])
            names.append(name_below(*found))
            subjects.append(face)
            genders.append(gender if gender in ("f", "m", "u") else "")
    missing.check(f"{root}/fold_*_data.txt", places[0])
    if len(set(names)) != len(names):
        twice = next(name for name, times in Counter(names).items() if times > 1)
        raise DataError(
            f"{root}: image {twice} is listed twice in fold_*_data.txt: expected every image once"
        )
    return Dataset(
        name=name,
        images=tuple(images),
        names=tuple(names),
        subjects=np.array(subjects, dtype=np.str_),
        groups=np.array(genders, dtype=np.str_),
    )


def read_synfiqa(root: str | Path, name: str = "synfiqa") -> Dataset:
    """Read SynFIQA: ``data/<id>/{k,Ref-k}.jpg`` and ``Quality-Scores.txt`` (path TAB score).

    ``labels`` are the scores. ``groups``: ``Ref`` for the reference images; the degraded ones are cut, over
    the whole set, into ten equal parts by score, ``Q0`` (worst) … ``Q9``, since the files name no group.
    """
    root = existing(Path(root), "SynFIQA's folder with data/ and Quality-Scores.txt")
    scores_path = root / "Quality-Scores.txt"
    images: list[Path] = []
    names, subjects, labels = [], [], []
    missing = Missing()
    for at, line in lines_of(scores_path, "SynFIQA's scores, 'path TAB score' a line"):
        fields = line.rsplit("\t", 1) if "\t" in line else line.rsplit(maxsplit=1)
        parts = Path(fields[0].replace("\\", "/")).parts
        try:
            score = specs.number(fields[1])
        except (IndexError, ValueError):
            parts = ()
        if len(parts) < 2:
            raise bad_line(scores_path, at, line, "'data/<id>/<image>.jpg', a tab and a number")
        image = find_image(root, f"data/{parts[-2]}/{parts[-1]}")
        if image is None:
            missing.add("/".join(parts[-2:]), at)
            continue
        images.append(image)
        names.append(name_below(root, image))
        subjects.append(parts[-2])
        labels.append(score)
    missing.check(scores_path, root / "data")
    label_array = np.array(labels, dtype=np.float32)
    return Dataset(
        name=name,
        images=tuple(images),
        names=tuple(names),
        subjects=np.array(subjects, dtype=np.str_),
        groups=_synfiqa_groups(images, label_array),
        labels=label_array,
    )


def _synfiqa_groups(images: list[Path], labels: np.ndarray) -> np.ndarray:
    is_reference = np.array([re.match(r"ref[-_]?\d*$", path.stem, re.I) is not None for path in images])
    groups = np.full(len(images), SYNFIQA_GROUPS[-1], dtype="<U3")
    degraded = np.flatnonzero(~is_reference)
    rank = np.argsort(np.argsort(labels[degraded], kind="stable"), kind="stable")
    groups[degraded] = np.array(SYNFIQA_GROUPS)[rank * 10 // max(len(degraded), 1)]
    return groups
