"""``fiqa cache``: what is kept between runs."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Annotated

import typer

from .. import cache as store


def cache(
    clear: Annotated[bool, typer.Option("--clear", help="Remove all of it.")] = False,
) -> None:
    """List what is kept between runs, exported graphs and graphs in 8 bits, or clear it.

    It lies in FIQA_CACHE if that is set (off: nothing is kept), else in the user's cache folder.
    """
    folder = store.folder()
    if folder is None:
        print(f"the cache is off: {store.VARIABLE}={store.OFF}")
        return
    if clear:
        print(f"{folder}: {store.clear()} removed")
        return
    from rich.console import Console
    from rich.table import Table

    found = store.entries()
    table = Table(box=None, header_style="bold")
    for name in ("what", "MB", "last used", "file"):
        table.add_column(name, justify="right" if name == "MB" else "left", no_wrap=name != "file")
    for entry in found:
        used = datetime.fromtimestamp(entry.used).strftime("%Y-%m-%d %H:%M")
        table.add_row(entry.kind, f"{entry.size / 1e6:.1f}", used, entry.path.name)
    if found:
        Console(width=None if sys.stdout.isatty() else 160).print(table)
    total = sum(entry.size for entry in found) / 1e6
    print(f"{folder}: {len(found)} kept, {total:.1f} MB of at most {store.MOST / 1e6:.0f}")
