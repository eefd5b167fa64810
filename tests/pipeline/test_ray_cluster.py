"""The same shards on Ray: rows equal to those of one process, whatever is killed.

``FIQA_TEST_SHARD_KILLS=20 FIQA_TEST_SHARD_ROWS=20000`` is the full check.
"""

from __future__ import annotations

import importlib.util
import time

import pytest
from tests.cli.runs import posix

pytest.importorskip("pyarrow", reason="Parquet needs the extra parquet")
from tests.pipeline.datasets import (
    children,
    ended,
    killed,
    moments,
    started,
    wait_for_parts,
)
from tests.pipeline.kills import N_DRIVER_KILLS, N_KILLS, PAUSE, SECONDS, SHARD, check

from fiqa.errors import UsageError
from fiqa.pipeline.ray_cluster import read_resources

needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs the extra ray")


@needs_ray
@posix
@pytest.mark.slow
def test_kills_of_actors_are_made_good_in_the_same_run(images, whole, tmp_path):
    out = tmp_path / "out"
    process = started(out, images, shard_size=SHARD, pause=PAUSE, ray="local")
    wait_for_parts(out, 1, process)
    n_killed = 0
    for moment in moments("actor", N_KILLS, SECONDS / N_KILLS / 3):
        time.sleep(moment)
        if actors := children(process.pid, "ray::_Actor"):
            killed(process, pid=actors[n_killed % len(actors)])
            n_killed += 1
    said = ended(process)
    assert 1 <= said.count("an actor was lost; shard") <= n_killed
    check(out, whole)


@needs_ray
@posix
@pytest.mark.slow
def test_a_kill_of_the_driver_is_gone_on_with(images, whole, tmp_path):
    out = tmp_path / "out"
    for moment in moments("ray driver", N_DRIVER_KILLS, SECONDS / N_KILLS / 3):
        process = started(out, images, shard_size=SHARD, pause=PAUSE, ray="local")
        wait_for_parts(out, len(list(out.glob("part-*"))) + 1, process)
        time.sleep(moment)
        killed(process)
    said = ended(started(out, images, shard_size=SHARD, ray="local"))
    assert "parts are there already" in said
    check(out, whole)


@pytest.mark.parametrize(
    ("text", "says"), [("GPU=x", "must be a number"), ("GPU=-1", "must be at least 0"), ("2", "option=value")]
)
def test_resources_are_read_once(text, says):
    assert read_resources("CPU=2,GPU=0.5,disk=1") == {"CPU": 2, "GPU": 0.5, "disk": 1}
    with pytest.raises(UsageError, match=says):
        read_resources(text)
