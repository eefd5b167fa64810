"""What to score: files, folders, globs, lists. Paths are str; bytes that are no text survive in them."""

from __future__ import annotations

import codecs
import glob
import os
import sys
from collections.abc import Iterable, Iterator

from ..errors import DataError, UsageError
from ..images.formats import SUFFIXES


class Images(list[str]):
    """Paths of images as :func:`expand` gives them: there is nothing left in them to expand."""


def expand(inputs: Iterable[str | os.PathLike[str]]) -> list[str]:
    """Image paths of ``inputs``, in order, each once.

    A folder gives the images below it, sorted (names that end like an image; a folder so named and one that
    can't be listed too: they will get a row that says so). A pattern with ``*``, ``?`` or ``[`` gives what it
    matches. ``@FILE`` is a list, a path a line (or, if it holds NUL bytes, NUL-separated); ``-`` is such a
    list on standard input. Anything else is taken as a file, whether it exists or not. A folder or pattern
    that gives nothing, beside others that do, stands for itself: it will get a row that says what is wrong.

    Raises:
        UsageError: nothing to score.
        DataError: a list can't be read.
    """
    names = [os.fspath(item) for item in inputs]
    parts = [(item, list(_expand_one(item))) for item in names]
    found = Images(dict.fromkeys(path for item, paths in parts for path in paths or _itself(item)))
    if not any(paths for _, paths in parts):
        what = ", ".join(repr(item) for item in names) or "no path"
        raise UsageError(f"no images in {what}: images end in {' '.join(sorted(SUFFIXES))}")
    return found


def _expand_one(item: str) -> Iterator[str]:
    if item == "-":
        yield from _split(_read_stdin(), "standard input")
    elif item.startswith("@") and not os.path.exists(item):
        yield from _split(_read(item[1:]), f"the list {item[1:]!r}")
    elif os.path.isdir(item):
        yield from _below(item)
    elif not os.path.lexists(item) and glob.has_magic(item):
        for match in sorted(glob.glob(item, recursive=True)):
            yield from _below(match) if os.path.isdir(match) else (match,)
    else:
        yield item


def _itself(item: str) -> tuple[str, ...]:
    """What an input without images stands for; an empty list is no mistake."""
    return () if item == "-" or item.startswith("@") else (item,)


def _below(folder: str) -> Iterator[str]:
    refused: list[str] = []
    for root, folders, files in os.walk(folder, onerror=lambda error: refused.append(error.filename)):
        folders.sort()
        named_like_images = [name for name in folders if _is_image_name(name)]
        folders[:] = [name for name in folders if name not in named_like_images]
        for name in sorted([*named_like_images, *filter(_is_image_name, files)]):
            yield os.path.join(root, name)
    yield from refused


def _is_image_name(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in SUFFIXES


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except (OSError, ValueError) as error:
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


def _split(data: bytes, name: str) -> Iterator[str]:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and b"\0" in data[:4]:
        raise DataError(f"{name} is UTF-16 text: save it as UTF-8")
    data = data.removeprefix(codecs.BOM_UTF8)
    lines = data.split(b"\0") if b"\0" in data else data.splitlines()
    return (os.fsdecode(line) for line in lines if line)
