"""Inputs in → a list on disk of all there is to score, always in the same order and shards, out."""

from __future__ import annotations

import hashlib
import json
import tempfile
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from json.encoder import encode_basestring_ascii
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from ..errors import DataError
from .items import Item, path_of
from .rows import Header

SHARD_SIZE = 50_000
_AT_ONCE = 4096  # lines that are written in one go


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a manifest says of itself; two of the same contents are the same.

    Attributes:
        sha256: of its lines.
        n_items: images that it names, and tars.
        n_tars: of these, the tars, whose images nobody has counted.
        n_repeated: paths that came again and were left out.
        columns: what rows of lists carry.
        starts: byte at which each shard begins.
        counts: images of each shard; None for a tar.
    """

    sha256: str
    n_items: int
    n_tars: int
    n_repeated: int
    columns: tuple[Header, ...]
    starts: tuple[int, ...]
    counts: tuple[int | None, ...]

    @property
    def n_images(self) -> int | None:
        """Images to score; None where a tar holds some."""
        return None if self.n_tars else self.n_items


class Manifest:
    """Items on disk, one a line: nothing of it lies in memory but where its shards begin.

    A line is a JSON text, the path of an image, or an object of :class:`fiqa.pipeline.items.Item`.

    Args:
        file: the lines, opened for reading.
        contents: what they are.
    """

    def __init__(self, file: BinaryIO, contents: Contents) -> None:
        self._file, self.contents = file, contents

    def __enter__(self) -> Manifest:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the file go."""
        self._file.close()

    @property
    def n_shards(self) -> int:
        """How many shards there are."""
        return len(self.contents.starts)

    def items(self, shard: int | None = None) -> Iterator[Item | str]:
        """The items of one shard, or all of them; one such reading at a time."""
        starts = self.contents.starts
        begin = starts[shard] if shard is not None else 0
        last = shard is None or shard + 1 == len(starts)
        left = -1 if last or shard is None else starts[shard + 1] - begin
        self._file.seek(begin)
        while left and (line := self._file.readline()):
            left -= len(line)
            yield _item(line)

    @classmethod
    def made(
        cls, items: Iterable[Item | str], columns: tuple[Header, ...] = (), *, shard_size: int = SHARD_SIZE
    ) -> Manifest:
        """A manifest of these items, each path once, in a temporary file that goes when it is closed.

        Args:
            items: in their order.
            columns: what they carry.
            shard_size: items in a shard; a tar is one of its own.

        Raises:
            FiqaError: there are none, or a list is damaged.
        """
        file = tempfile.TemporaryFile(prefix="fiqa-", suffix=".jsonl")  # noqa: SIM115
        writer = _Writer(file, shard_size)
        hashes = array("q")  # eight bytes a path, not the path
        for item in items:
            hashes.append(hash(path_of(item)))
            writer.add(item)
        writer.flush()
        repeated = _repeated(hashes)
        n_before = writer.n_items
        if repeated:
            before = cls(file, writer.contents(columns))
            file = tempfile.TemporaryFile(prefix="fiqa-", suffix=".jsonl")  # noqa: SIM115
            writer = _Writer(file, shard_size)
            with before:
                for item in _once(before.items(), repeated):
                    writer.add(item)
            writer.flush()
        return cls(file, writer.contents(columns, n_repeated=n_before - writer.n_items))

    def save(self, path: Path) -> None:
        """Write the lines to ``path``."""
        self._file.seek(0)
        with open(path, "wb") as out:
            while piece := self._file.read(1 << 20):
                out.write(piece)

    @classmethod
    def opened(cls, path: Path, contents: Contents) -> Manifest:
        """The manifest that :meth:`save` wrote.

        Raises:
            DataError: it is missing.
        """
        try:
            return cls(open(path, "rb"), contents)
        except OSError as error:
            raise DataError(f"the manifest {str(path)!r} can't be read: {error.strerror}") from error


class _Writer:
    """Items → lines, cut into shards."""

    def __init__(self, file: BinaryIO, shard_size: int) -> None:
        self._file, self._shard_size = file, shard_size
        self._digest = hashlib.sha256(b"%d\n" % shard_size)
        self._lines: list[str] = []
        self._in_shard = self._shard_size  # the first item begins one
        self._size = self.n_items = self.n_tars = 0
        self._starts, self._counts = array("Q"), array("Q")  # a tar counts nothing

    def add(self, item: Item | str) -> None:
        is_tar = not isinstance(item, str) and item.is_tar
        if is_tar or self._in_shard >= self._shard_size:
            self.flush()
            self._starts.append(self._size)
            self._counts.append(0)
            self._in_shard = 0
        self._lines.append(_line(item))
        self._in_shard = self._shard_size if is_tar else self._in_shard + 1
        self.n_items += 1
        self.n_tars += is_tar
        self._counts[-1] += not is_tar
        if len(self._lines) == _AT_ONCE:
            self.flush()

    def flush(self) -> None:
        data = "".join(self._lines).encode("ascii")
        self._lines.clear()
        self._size += len(data)
        self._digest.update(data)
        self._file.write(data)

    def contents(self, columns: tuple[Header, ...], *, n_repeated: int = 0) -> Contents:
        digest = self._digest.copy()
        digest.update(json.dumps([asdict(column) for column in columns]).encode())
        return Contents(
            sha256=digest.hexdigest(),
            n_items=self.n_items,
            n_tars=self.n_tars,
            n_repeated=n_repeated,
            columns=columns,
            starts=tuple(self._starts),
            counts=tuple(n or None for n in self._counts),
        )


def _line(item: Item | str) -> str:
    if isinstance(item, str):
        return encode_basestring_ascii(item) + "\n"  # bytes of a path that are no text are escaped too
    values: dict[str, Any] = {"path": item.path}
    if item.is_tar:
        values["is_tar"] = True
    if item.carried:
        values["carried"] = item.carried
    return json.dumps(values) + "\n"


def _item(line: bytes) -> Item | str:
    values = json.loads(line)
    return values if isinstance(values, str) else Item(**values)


def _repeated(hashes: array[int]) -> set[int]:
    """The hashes that occur more than once."""
    import numpy as np

    values = np.sort(np.frombuffer(hashes, dtype=np.int64))
    return set(values[1:][values[1:] == values[:-1]].tolist())


def _once(items: Iterable[Item | str], repeated: set[int]) -> Iterator[Item | str]:
    seen: set[str] = set()
    for item in items:
        path = path_of(item)
        if hash(path) in repeated:
            if path in seen:
                continue
            seen.add(path)
        yield item
