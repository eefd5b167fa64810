"""Embeddings that were computed elsewhere: an ``.npz`` with ``names`` (n,) and ``embeddings`` (n, D)."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from ...errors import DataError
from ...types import FloatArray


class PrecomputedEmbeddings:
    """Looks embeddings up by image name.

    Args:
        path: an ``.npz`` with ``names``, text, and ``embeddings``, a finite number array of as many rows.
        name: what reports call it; by default the file's name.

    Raises DataError when the file is missing, damaged or lacks one of the arrays.
    """

    def __init__(self, path: str | Path, name: str | None = None) -> None:
        path = Path(path)
        self.name = name or path.stem
        try:
            with np.load(path, allow_pickle=False) as arrays:
                names, embeddings = arrays["names"], np.asarray(arrays["embeddings"], dtype=np.float32)
        except (OSError, KeyError, ValueError, zipfile.BadZipFile, AttributeError, TypeError) as error:
            raise DataError(
                f"{path} cannot be used ({error}): expected an .npz with names (n,) and embeddings (n, D)"
            ) from error
        if (
            names.ndim != 1
            or names.dtype.kind not in "US"
            or embeddings.ndim != 2
            or len(names) != len(embeddings)
        ):
            raise DataError(
                f"{path} holds names {names.dtype} {names.shape} and embeddings {embeddings.shape}: "
                "expected text (n,) and numbers (n, D)"
            )
        if not np.isfinite(embeddings).all():
            raise DataError(f"{path} holds embeddings that are not finite: expected numbers only")
        self._path, self._embeddings = path, embeddings
        texts = [name.decode() if isinstance(name, bytes) else str(name) for name in names.tolist()]
        self._row = {text: row for row, text in enumerate(texts)}
        # a list made from another copy of the images may differ in the suffix alone
        self._row_by_stem: dict[str, int] = {}
        for row, text in enumerate(texts):
            self._row_by_stem.setdefault(_stem(text), row)

    def lookup(self, names: Sequence[str]) -> FloatArray:
        """Embeddings (len(names), D) in this order; a DataError names those that the file lacks.

        A name is matched as it is, or else without its suffix.
        """
        rows, missing = [], []
        for name in names:
            row = self._row.get(name, self._row_by_stem.get(_stem(name)))
            if row is None:
                missing.append(name)
            else:
                rows.append(row)
        if missing:
            shown = ", ".join(missing[:3]) + (", …" if len(missing) > 3 else "")
            raise DataError(f"{self._path} lacks {len(missing)} of the {len(names)} images: {shown}")
        return self._embeddings[rows]


def _stem(name: str) -> str:
    return str(PurePosixPath(name).with_suffix("")) if name else name
