"""Folders as data sets are published."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.evaluation.datasets.folders import put


@pytest.fixture
def lfw(tmp_path: Path) -> Path:
    for person, count in (("Ann_Lee", 3), ("Bo", 2), ("Cy_de_Wit", 1)):
        for number in range(1, count + 1):
            put(tmp_path / person / f"{person}_{number:04d}.jpg", number)
    (tmp_path / "pairs.txt").write_text(
        "2\t2\n"
        "Ann_Lee\t1\t2\nBo\t1\t2\nAnn_Lee\t1\tBo\t2\nCy_de_Wit\t1\tBo\t1\n"
        "Ann_Lee\t2\t3\nAnn_Lee\t1\t3\nAnn_Lee\t3\tCy_de_Wit\t1\nBo\t1\tAnn_Lee\t2\n"
    )
    return tmp_path
