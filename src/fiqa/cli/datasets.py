"""fiqa datasets: the table of data sets that can be read."""

from __future__ import annotations

import sys

from .common import say


def datasets() -> None:
    """List the data sets that can be read: what each needs on disk, and where its owners hand it out."""
    from rich.console import Console
    from rich.table import Table

    from ..evaluation.datasets import DATASETS

    table = Table(box=None, header_style="bold", show_lines=False)
    for name in (
        "kind",
        "what it tests",
        "mated / non-mated",
        "what is needed (any one)",
        "who hands it out",
    ):
        table.add_column(name, overflow="fold")
    for info in DATASETS.values():
        table.add_row(info.name, info.title, info.comparisons, "\n".join(info.needs), info.source)
    Console(width=None if sys.stdout.isatty() else 180, markup=False).print(table)
    for said in DATASETS.broken.values():
        say(said)
    print("\nNothing is downloaded: each has its own terms. Then: fiqa evaluate --dataset KIND=PATH …")
