"""One writer at a time: the second says who holds a file, and a killed run holds nothing."""

from __future__ import annotations

import multiprocessing
import os
import platform
import subprocess
import sys

import pytest

from fiqa.errors import UsageError
from fiqa.pipeline.lock import WriterLock

HOLD = """
import sys, time
from pathlib import Path
from fiqa.pipeline.lock import WriterLock
lock = WriterLock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(300)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock of table.csv."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path / "table.csv"], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_the_second_writer_says_who_holds_it(holder, tmp_path):
    says = rf"being written by process {holder.pid} on {platform.node()} since \d{{4}}-\d\d-\d\d \d\d:\d\d:"
    with pytest.raises(UsageError, match=says):
        WriterLock(tmp_path / "table.csv")
    os.symlink("table.csv", tmp_path / "other name.csv")
    with pytest.raises(UsageError, match=says):
        WriterLock(tmp_path / "other name.csv")
    WriterLock(tmp_path / "another.csv").release()


def test_a_killed_writer_holds_nothing(holder, tmp_path):
    holder.kill()
    holder.wait()
    assert (tmp_path / ".table.csv.lock").exists()
    lock = WriterLock(tmp_path / "table.csv")
    assert str(os.getpid()) in (tmp_path / ".table.csv.lock").read_text()
    assert str(holder.pid) not in (tmp_path / ".table.csv.lock").read_text()
    lock.release()
    assert os.listdir(tmp_path) == []


def test_within_one_process_too(tmp_path):
    lock = WriterLock(tmp_path / "table.csv")
    with pytest.raises(UsageError, match=f"process {os.getpid()}"):
        WriterLock(tmp_path / "table.csv")
    lock.release()
    lock.release()
    WriterLock(tmp_path / "table.csv").release()
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_does_not_go_on_holding_it(tmp_path):
    lock = WriterLock(tmp_path / "table.csv")
    stop = multiprocessing.get_context("fork").Event()
    child = multiprocessing.get_context("fork").Process(target=stop.wait)
    child.start()
    try:
        lock.release()
        WriterLock(tmp_path / "table.csv").release()
    finally:
        stop.set()
        child.join()
