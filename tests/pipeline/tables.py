"""What the tests of the result tables share: strange names, qualities of all kinds, and plain readers."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fiqa.pipeline.rows import columns, row
from fiqa.types import Face, Quality

SPECS = ("attn", "vitnt:blocks=0,4,alpha=8")
COLUMNS = columns(SPECS)
CSV_NAMES = [column.name for column in COLUMNS if column.in_csv]
NAMES = [
    "plain.jpg",
    'quo"te, comma.jpg',
    "line\nbreak.jpg",
    "carriage\rreturn.jpg",
    "caf\udce9.jpg",  # a byte that is no UTF-8
    "日本.jpg",
    " spaces ",
    "back\\slash.jpg",
    "=1+1.jpg",
    '"',
    "\n",
    "'=quoted already.jpg",
    "'plain quote.jpg",
    "-1.jpg",
    "\tcell.jpg",
]


def quality(number: int, path: str) -> Quality:
    """Every fourth is no image; every third of the others is a face in a photo rather than a crop."""
    if number % 4 == 3:
        return Quality(status="unreadable", reason="=it is damaged", path=path)
    face = None
    if number % 3 == 0:
        points = np.array([[40, 50], [70, 50], [55, 70], [42, 90], [68, 90]], np.float32) + number / 3
        face = Face((10.0, 20.25, 100.5, 120.0), points, 0.98765)
    raw = {SPECS[0]: -(number + 1) / 7, SPECS[1]: 1e-9 * (number + 1)}
    return Quality(status="ok", score=100 / (number + 1.5), scored_by=SPECS[0], raw=raw, path=path, face=face)


ROWS = [row(quality(number, name), COLUMNS) for number, name in enumerate(NAMES)]
N_BAD = sum(values["status"] != "ok" for values in ROWS)


def needs_parquet(suffix: str) -> None:
    """Skip a test of Parquet where there is none."""
    if suffix == ".parquet":
        pytest.importorskip("pyarrow.parquet", reason="Parquet needs the extra parquet")


def read(path: Path) -> list[dict[str, Any]]:
    """A table as rows of plain values; the cells of CSV are read as a spreadsheet would show them."""
    if path.suffix == ".parquet":
        import pyarrow.parquet as parquet

        return parquet.read_table(path).to_pylist()
    data = path.read_bytes().decode("utf-8", "surrogateescape")
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in data.splitlines()]
    kinds = {column.name: column.kind for column in COLUMNS}
    found = list(csv.DictReader(io.StringIO(data, newline=""), strict=True))
    return [{k: _plain(v, kinds.get(k, "text")) for k, v in values.items()} for values in found]


def _plain(cell: str, kind: str) -> Any:
    if kind == "text":
        return cell
    return float(cell) if cell else None
