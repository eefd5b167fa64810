"""A folder of parts on the command line: the same rows as a file, and what a person is told."""

from __future__ import annotations

import os

import pytest

pytest.importorskip("pyarrow", reason="Parquet needs the extra parquet")
import pyarrow.parquet as pq
from tests.cli.runs import FAST, fiqa

ALL = (*FAST, "--align", "none")


@pytest.mark.slow
def test_two_workers_give_the_rows_of_one_file(many, tmp_path):
    to = ("score", many, *ALL, "-o", f"{tmp_path}/out/", "--shard-size", "30")
    done = fiqa(*to, "--workers", "2", expect=3)
    fiqa("score", many, *ALL, "-o", tmp_path / "t.parquet", expect=3)
    parts = sorted((tmp_path / "out").glob("part-*.parquet"))
    rows = [row for part in parts for row in pq.read_table(part).to_pylist()]
    assert rows == pq.read_table(tmp_path / "t.parquet").to_pylist()
    n_images = len(os.listdir(many))
    assert f"{n_images} images in" in done.stderr.decode()
    again = fiqa(*to, "--resume", expect=3)
    assert "5 of 5 parts are there already" in again.stderr.decode()
    refused = fiqa("score", many, *ALL, "-o", f"{tmp_path}/out/", "--all-faces", expect=2)
    assert "was written with all_faces False, not True" in refused.stderr.decode()
    ranked = fiqa("rank", f"{tmp_path}/out/", "--by", "folder", "--top", "2")
    assert len(ranked.stdout.splitlines()) == 3
