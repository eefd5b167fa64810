"""Who has a shard: one process at a time, until it dies or falls silent."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

from fiqa.pipeline.exclusive import create
from fiqa.pipeline.leases import Claims


def test_one_at_a_time_has_a_shard(tmp_path):
    with Claims(tmp_path / "c", host="a") as one, Claims(tmp_path / "c", host="b") as other:
        assert one.take(0)
        assert other.take(1)
        assert not other.take(0)
        assert not one.take(1)
        other.give_back(0)  # not its own: nothing happens
        assert not other.take(0)
        one.give_back(0)
        assert other.take(0)
        other.give_back(0)
        other.give_back(1)
    assert not (tmp_path / "c").exists()


def test_a_silent_holder_loses_what_it_has_and_a_live_one_does_not(tmp_path):
    live = Claims(tmp_path / "c", lease=0.6, host="live")
    silent = Claims(tmp_path / "c", lease=0.6, host="silent")
    assert live.take(0)
    assert silent.take(1)
    silent._over.set()  # its machine stops
    time.sleep(0.9)
    with Claims(tmp_path / "c", lease=0.6, host="third") as third:
        assert not third.take(0)
        assert third.take(1)
        silent.give_back(1)  # it comes back, and has lost it
        assert not live.take(1)


def test_a_process_of_this_machine_that_is_gone_loses_it_at_once(tmp_path):
    code = (
        "import os, sys; from pathlib import Path; from fiqa.pipeline.leases import Claims;"
        f"assert Claims(Path({str(tmp_path / 'c')!r})).take(0); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 9
    with Claims(tmp_path / "c", host="elsewhere") as other:
        assert not other.take(0)
    with Claims(tmp_path / "c") as here:
        assert here.take(0)
        here.give_back(0)
    assert not list((tmp_path).glob("c/pulse*"))


def test_clocks_may_differ(tmp_path):
    """Only times of the file server count: those of a holder whose clock is wrong too."""
    with (
        Claims(tmp_path / "c", lease=60, host="a") as one,
        Claims(tmp_path / "c", lease=60, host="b") as other,
    ):
        assert one.take(0)
        for path in (tmp_path / "c").iterdir():  # as if the server were hours behind
            os.utime(path, (time.time() - 7200,) * 2)
        one._pulse.touch()
        assert not other.take(0)


def test_of_many_who_want_a_lost_one_one_gets_it(tmp_path):
    for _ in range(100):
        lost = Claims(tmp_path / "c", host="lost")
        assert lost.take(0)
        lost._over.set()
        lost._thread.join()
        for path in (tmp_path / "c").iterdir():
            os.utime(path, (1000, 1000))
        others = [Claims(tmp_path / "c", host=f"other{n}") for n in range(4)]
        start, got = threading.Barrier(4), []

        def race(claims, start=start, got=got):
            start.wait()
            got.append(claims.take(0))

        threads = [threading.Thread(target=race, args=(other,)) for other in others]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(got) == 1
        for other in others:
            other.give_back(0)
            other.__exit__(None, None, None)


def test_a_file_is_made_whole_and_once_without_links_too(tmp_path, monkeypatch):
    for name in ("links", "none"):
        assert create(tmp_path / name, "first")
        assert not create(tmp_path / name, "second")
        assert (tmp_path / name).read_text() == "first"
        monkeypatch.setattr(os, "link", lambda *paths: (_ for _ in ()).throw(PermissionError()))
    assert sorted(os.listdir(tmp_path)) == ["links", "none"]
