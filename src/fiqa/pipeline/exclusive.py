"""A path and a text in → a file that only the first of several writers can have made, whole at once."""

from __future__ import annotations

import os
import uuid
from contextlib import suppress
from pathlib import Path


def create(path: Path, text: str) -> bool:
    """Make a file with this text, unless there is one; whether it was made here.

    Nobody sees it empty or in part. It is linked into its place, which is atomic on network file systems
    too; where there are no links it is made with ``O_EXCL``.
    """
    temporary = temporary_beside(path)
    try:
        temporary.write_text(text, encoding="utf-8")
        try:
            os.link(temporary, path)
            return True
        except FileExistsError:
            # over NFS a link may have been made though the answer was lost and the request came twice
            return temporary.stat().st_nlink == 2
        except (OSError, NotImplementedError):
            return _created(path, text)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def temporary_beside(path: Path) -> Path:
    """A name in the same folder that nothing else has; hidden, and it begins like the file's own."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}")


def _created(path: Path, text: str) -> bool:
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(text)
        return True
    except FileExistsError:
        return False
