"""What to score: files, folders, patterns, URLs, lists, tars. Bytes of paths that are no text survive."""

from __future__ import annotations

import codecs
import glob
import os
import sys
from collections.abc import Iterable, Iterator

from ..errors import DataError, UsageError
from ..images.formats import SUFFIXES, is_image_name
from ..images.remote import is_remote
from . import remote
from .items import Item, path_of
from .lists import PATH, ListSource, NoSuchColumn, is_list, merged, opened
from .manifest import SHARD_SIZE, Manifest
from .tars import is_tar


class Images(list[str]):
    """Paths of images as :func:`expand` gives them: there is nothing left in them to expand."""


def expand(inputs: Iterable[str | os.PathLike[str]]) -> list[str]:
    """Image paths of ``inputs``, in order, each once; what an input may be says :class:`Inputs`.

    Raises:
        UsageError: nothing to score.
        DataError: a list can't be read.
    """
    return Images(dict.fromkeys(map(path_of, Inputs(inputs))))


def manifest_of(
    inputs: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    path_column: str = PATH,
    shard_size: int = SHARD_SIZE,
) -> Manifest:
    """All there is to score, each path once.

    Args:
        inputs: what :class:`Inputs` takes.
        path_column: of a list with columns, the one that names the images.
        shard_size: images in a shard.

    Raises:
        FiqaError: there is nothing, or a list can't be read.
    """
    if isinstance(inputs, Images):
        return Manifest.made(inputs, shard_size=shard_size)
    found = Inputs([inputs] if isinstance(inputs, str | os.PathLike) else inputs, path_column=path_column)
    return Manifest.made(found, found.columns, shard_size=shard_size)


class Inputs:
    """What there is to score, in order; a path that comes twice is given twice.

    A folder gives the images below it, sorted (names that end like an image; a folder so named and one that
    can't be listed too: they will get a row that says so). A pattern with ``*``, ``?`` or ``[`` gives what it
    matches. A URL that fsspec knows is a file, a folder or a pattern (``*`` or ``[``) in the same way.
    ``@FILE`` is a list, a path a line (or, if it holds NUL bytes, NUL-separated); ``-`` is such a list on
    standard input. A .csv or .parquet, with ``@`` or without, is a list with a column of paths, whose other
    columns its rows carry. A .tar stands for the images in it. Anything else is taken as a file, whether it
    exists or not. A folder or pattern that gives nothing, beside others that do, stands for itself: it will
    get a row that says what is wrong.

    Args:
        inputs: files, folders, patterns, URLs, lists and tars.
        path_column: of a list with columns, the one that names the images.

    Attributes:
        columns: what rows of lists carry.

    Raises:
        DataError: a list can't be read.
        FiqaError: a URL that nothing installed can read.
    """

    def __init__(self, inputs: Iterable[str | os.PathLike[str]], *, path_column: str = PATH) -> None:
        names = [os.fspath(item) for item in inputs]
        self._parts = [_list_of(name, path_column) or name for name in names]
        self.columns = merged([part.columns for part in self._parts if isinstance(part, ListSource)])

    def __iter__(self) -> Iterator[Item | str]:
        """The items.

        Raises:
            UsageError: there are none.
            DataError: a list is damaged.
        """
        any_found = False
        for part in self._parts:
            found: Item | str | None = None
            for found in _expand_one(part) if isinstance(part, str) else part:
                yield found
            any_found |= found is not None
            if found is None and isinstance(part, str):
                yield from _itself(part)
        if not any_found:
            what = ", ".join(repr(p if isinstance(p, str) else p.name) for p in self._parts) or "no path"
            raise UsageError(f"no images in {what}: images end in {' '.join(sorted(SUFFIXES))}")


def _list_of(name: str, path_column: str) -> ListSource | None:
    """The list with columns that an input is; None if it is something else.

    ``@x.csv`` whose first line names no such column is a list of lines, as ``@x.txt`` is.
    """
    plain = name.removeprefix("@") if name.startswith("@") and not os.path.exists(name) else name
    if not is_list(plain) or os.path.isdir(plain):
        return None
    try:
        return ListSource(plain, path_column)
    except NoSuchColumn:
        if plain != name and plain.lower().endswith(".csv"):
            return None
        raise


def _expand_one(item: str) -> Iterator[Item | str]:
    if item == "-":
        yield from _split(_read_stdin(), "standard input")
    elif item.startswith("@") and not os.path.exists(item):
        yield from _split(_read(item[1:]), f"the list {item[1:]!r}")
    elif is_remote(item):
        yield from map(_taken, remote.below(item))
    elif os.path.isdir(item):
        yield from _below(item)
    elif not os.path.lexists(item) and glob.has_magic(item):
        for match in sorted(glob.glob(item, recursive=True)):
            yield from _below(match) if os.path.isdir(match) else (_taken(match),)
    else:
        yield _taken(item)


def _taken(path: str) -> Item | str:
    return Item(path=path, is_tar=True) if is_tar(path) else path


def _itself(item: str) -> tuple[str, ...]:
    """What an input without images stands for; an empty list is no mistake."""
    return () if item == "-" or item.startswith("@") else (item,)


def _below(folder: str) -> Iterator[str]:
    refused: list[str] = []
    for root, folders, files in os.walk(folder, onerror=lambda error: refused.append(error.filename)):
        folders.sort()
        named_like_images = [name for name in folders if is_image_name(name)]
        folders[:] = [name for name in folders if name not in named_like_images]
        for name in sorted([*named_like_images, *filter(is_image_name, files)]):
            yield os.path.join(root, name)
    yield from refused


def _read(path: str) -> bytes:
    with opened(path) as file:
        try:
            return file.read()
        except OSError as error:
            raise DataError(f"the list {path!r} can't be read: {_cause(error)}") from error


def _read_stdin() -> bytes:
    if sys.stdin is None:
        raise DataError("standard input is closed: give the list as @FILE")
    try:
        return sys.stdin.buffer.read()
    except OSError as error:
        raise DataError(f"standard input can't be read: {_cause(error)}") from error


def _cause(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _split(data: bytes, name: str) -> Iterator[Item | str]:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and b"\0" in data[:4]:
        raise DataError(f"{name} is UTF-16 text: save it as UTF-8")
    data = data.removeprefix(codecs.BOM_UTF8)
    lines = data.split(b"\0") if b"\0" in data else data.splitlines()
    return (_taken(os.fsdecode(line)) for line in lines if line)
