"""Where the built page stands, and copies of it; its sources are the folder ``web`` of the repository."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from ..errors import DataError, UsageError

MISSING = (
    "the page is not built: run 'make page' in a clone, which needs Node, or install a wheel, which has it"
)
"""What to say where there is no page."""
_MARK = "service-worker.js"  # a folder that holds it is a page


def built() -> Path | None:
    """The folder of the built page; None where ``make page`` has not been run."""
    folder = Path(__file__).with_name("page")
    return folder if (folder / "index.html").is_file() else None


def write(folder: str | os.PathLike[str]) -> Path:
    """Copy the page into ``folder``, for any web server; a page that is there already is replaced.

    Returns:
        The folder.

    Raises:
        DataError: the page is not built.
        UsageError: the folder holds something else.
    """
    source, target = built(), Path(folder)
    if source is None:
        raise DataError(MISSING)
    if target.exists() and not target.is_dir():
        raise UsageError(f"the page needs a folder, but {os.fspath(folder)!r} is a file")
    if target.is_dir() and any(target.iterdir()) and not (target / _MARK).is_file():
        raise UsageError(
            f"the folder of the page must be new or empty, but {os.fspath(folder)!r} holds files"
        )
    if (target / _MARK).is_file():
        shutil.rmtree(target / "assets", ignore_errors=True)  # files that the page has no more
    shutil.copytree(source, target, dirs_exist_ok=True)
    return target
