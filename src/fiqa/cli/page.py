"""``fiqa page``: the page that scores photos in a browser, as a folder for any web server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def page(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder to write; new, empty or an older page.")
    ],
) -> None:
    """Write the page that scores photos in the browser, for any web server; photos never leave the device.

    docs/page.md says what a server should send with it.
    """
    from ..web import write

    written = write(folder)
    print(
        f"fiqa: the page is in {written}; serve it over https, or try it: python -m http.server -d {written}"
    )
