"""Results on disk by content: a vector for each (who computed it, hash of the crop's pixels)."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from ...errors import DataError
from ...types import FloatArray, ImageArray


def content_key(crop: ImageArray) -> bytes:
    """32 bytes that stand for these pixels."""
    return hashlib.sha256(np.ascontiguousarray(crop).tobytes()).digest()


class VectorCache:
    """A SQLite file of float32 vectors. Every ``put`` is one transaction: a killed run loses one batch.

    Several processes may use one file. Raises DataError when the file is no such cache.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._database = sqlite3.connect(self.path, timeout=60)
            with self._database:
                self._database.execute(
                    "CREATE TABLE IF NOT EXISTS vectors (identity TEXT, content BLOB, vector BLOB, "
                    "PRIMARY KEY (identity, content)) WITHOUT ROWID"
                )
        except sqlite3.Error as error:
            raise DataError(
                f"{path} is not a cache of embeddings ({error}): delete it, or give another"
            ) from error

    def get(self, identity: str, keys: Sequence[bytes]) -> dict[bytes, FloatArray]:
        """The vectors that are there, by key."""
        found: dict[bytes, FloatArray] = {}
        for start in range(0, len(keys), 500):  # SQLite bounds the parameters of one statement
            part = keys[start : start + 500]
            marks = ",".join("?" * len(part))
            query = f"SELECT content, vector FROM vectors WHERE identity = ? AND content IN ({marks})"
            with self._clear_errors():
                for key, vector in self._database.execute(query, (identity, *part)):
                    found[key] = np.frombuffer(vector, dtype="<f4")
        return found

    def put(self, identity: str, vectors: Mapping[bytes, FloatArray]) -> None:
        """Store vectors by key, all or none."""
        rows = [(identity, key, vector.astype("<f4").tobytes()) for key, vector in vectors.items()]
        with self._clear_errors(), self._database:
            self._database.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", rows)

    @contextlib.contextmanager
    def _clear_errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, ValueError) as error:
            raise DataError(
                f"the cache of embeddings {self.path} can't be used ({error}): delete it, or give another"
            ) from error

    def close(self) -> None:
        """Close the file."""
        with contextlib.suppress(sqlite3.Error):
            self._database.close()

    def __enter__(self) -> VectorCache:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
