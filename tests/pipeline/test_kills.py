"""Kills at random moments of runs that share a folder: no row is lost, none is doubled, all are the same.

``FIQA_TEST_SHARD_KILLS=20 FIQA_TEST_SHARD_ROWS=20000`` is the full check.
"""

from __future__ import annotations

import time

import pytest
from tests.cli.runs import posix

pytest.importorskip("pyarrow", reason="Parquet needs the extra parquet")
pytest.importorskip("psutil", reason="finds the processes of a run")
from tests.pipeline.datasets import (
    children,
    ended,
    killed,
    moments,
    run,
    started,
    wait_for_parts,
)
from tests.pipeline.kills import N_DRIVER_KILLS, N_KILLS, N_ROWS, PAUSE, SECONDS, SHARD, check

pytestmark = [posix, pytest.mark.slow]


def test_kills_of_the_only_process(images, whole, tmp_path):
    out = tmp_path / "out"
    for moment in moments("driver", N_KILLS, SECONDS / N_KILLS):
        process = started(out, images, shard_size=SHARD, pause=PAUSE)
        wait_for_parts(out, len(list(out.glob("part-*"))) + 1, process)
        time.sleep(moment)
        killed(process)
    assert 0 < len(list(out.glob("part-*"))) < N_ROWS / SHARD or N_KILLS > 3
    run(out, images, shard_size=SHARD)
    check(out, whole)


def test_kills_of_workers_are_made_good_by_others_in_the_same_run(images, whole, tmp_path):
    out = tmp_path / "out"
    process = started(out, images, shard_size=SHARD, pause=PAUSE, workers=2)
    wait_for_parts(out, 1, process)
    n_killed = 0
    for moment in moments("worker", N_KILLS, SECONDS / N_KILLS / 3):
        time.sleep(moment)
        workers = children(process.pid, "fiqa.pipeline")
        if workers:
            killed(process, pid=workers[n_killed % len(workers)])
            n_killed += 1
    said = ended(process)
    assert 1 <= said.count("a worker was ended by signal 9; another one does its shard again") <= n_killed
    check(out, whole)


def test_a_kill_of_the_driver_ends_its_workers(images, whole, tmp_path):
    out = tmp_path / "out"
    for moment in moments("driver of workers", N_DRIVER_KILLS, SECONDS / N_KILLS / 3):
        process = started(out, images, shard_size=SHARD, pause=PAUSE, workers=2)
        wait_for_parts(out, len(list(out.glob("part-*"))) + 1, process)
        time.sleep(moment)
        workers = children(process.pid, "fiqa.pipeline")
        killed(process)
        assert workers
        until = time.monotonic() + 10
        while time.monotonic() < until and any(map(_runs, workers)):
            time.sleep(0.02)
        assert not any(map(_runs, workers))
    run(out, images, shard_size=SHARD)
    check(out, whole)


def _runs(pid: int) -> bool:
    import psutil

    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_two_machines_on_one_folder_do_every_shard_once(images, whole, tmp_path):
    out = tmp_path / "out"
    machines = [
        started(out, images, shard_size=SHARD, pause=PAUSE, host=name, lease=30) for name in ("one", "other")
    ]
    said = [ended(machine).split()[-5:] for machine in machines]
    check(out, whole)
    assert [line[0] for line in said] == ["done", "done"]
    scored = [int(line[-1]) for line in said]
    assert sum(scored) == N_ROWS  # each shard once
    assert min(scored) > 0


def test_a_dead_machine_s_shard_is_done_by_the_other(images, whole, tmp_path):
    out = tmp_path / "out"
    dead = started(out, images, shard_size=SHARD, pause=PAUSE, host="dead", lease=1.0)
    wait_for_parts(out, 1, dead)
    killed(dead)
    ended(started(out, images, shard_size=SHARD, host="live", lease=1.0))
    check(out, whole)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_disk_that_fills_is_one_error_and_the_next_run_completes(workers, images, whole, tmp_path):
    out = tmp_path / "out"
    process = started(out, images, shard_size=SHARD, workers=workers, most_bytes=9000)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "File too large" in errors
    assert list(out.glob("part-*")) == [] == list(out.glob(".part-*"))
    run(out, images, shard_size=SHARD)
    check(out, whole)
