"""What takes long to make, kept between runs: exported graphs, and graphs in 8 bits.

An entry is a file in :func:`folder`, named by the digest of all that it was made from. It is written under
another name and renamed when whole, and begins with its own digest, so that a damaged one is made again. A
cache that can't be written is no error: then nothing is kept.

``FIQA_CACHE`` names another folder, or is ``off``.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

VARIABLE = "FIQA_CACHE"
OFF = "off"
MOST = 2 * 1024**3
"""Bytes of all entries; the least recently used ones leave first."""

_DIGEST = 32  # bytes of a SHA-256
_ENTRY, _PART = ".entry", ".part"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that is kept.

    Attributes:
        kind: what it is, such as ``"graph"``.
        path: its file.
        size: bytes of the file.
        used: when it was made or last read, seconds since 1970.
    """

    kind: str
    path: Path
    size: int
    used: float


def folder() -> Path | None:
    """Where entries are kept; None if the cache is off. It may not exist yet."""
    named = os.environ.get(VARIABLE, "")
    if named == OFF:
        return None
    if named:
        return Path(named)
    from platformdirs import user_cache_path

    return user_cache_path("fiqa", appauthor=False)


def kept(kind: str, parts: Iterable[str | bytes], make: Callable[[], bytes]) -> bytes:
    """What was made of ``parts`` before, or is made now and kept.

    Args:
        kind: what it is, in letters; the beginning of the file's name.
        parts: all that decides the result: contents, settings, versions.
        make: makes it; what it raises is raised, and nothing is kept.
    """
    where = folder()
    if where is None:
        return make()
    digest = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        digest.update(len(content).to_bytes(8, "little") + content)
    path = where / f"{kind}-{digest.hexdigest()}{_ENTRY}"
    found = _read(path)
    if found is None:
        found = make()
        _write(path, found)
    return found


def entries() -> list[Entry]:
    """What is kept, the most recently used first."""
    where = folder()
    found = []
    for path in where.glob(f"*{_ENTRY}") if where is not None else ():
        try:
            stat = path.stat()
        except OSError:  # another process has cleared it
            continue
        kind = path.name.partition("-")[0]
        found.append(Entry(kind=kind, path=path, size=stat.st_size, used=stat.st_mtime))
    return sorted(found, key=lambda entry: -entry.used)


def clear() -> int:
    """Remove all entries, and what a killed process left; the number of entries."""
    gone = entries()
    for entry in gone:
        entry.path.unlink(missing_ok=True)
    where = folder()
    for path in where.glob(f"*{_PART}") if where is not None else ():
        path.unlink(missing_ok=True)
    return len(gone)


def _read(path: Path) -> bytes | None:
    try:
        whole = path.read_bytes()
        content = whole[_DIGEST:]
        if hashlib.sha256(content).digest() != whole[:_DIGEST]:
            return None
        os.utime(path)  # the least recently used leave first
    except OSError:
        return None
    return content


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=_PART, delete=False) as file:
            try:
                file.write(hashlib.sha256(content).digest() + content)
                file.close()
                os.replace(file.name, path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
        _shrink()
    except OSError:  # read-only, full, or someone else's: nothing is kept
        return


def _shrink() -> None:
    total = 0
    for entry in entries():
        total += entry.size
        if total > MOST:
            entry.path.unlink(missing_ok=True)
