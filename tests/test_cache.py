"""The cache: made once, never wrong after a kill, damage or a second process, bounded, and switched off."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.cli.runs import fiqa

from fiqa import Scorer, cache


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


def made(content: bytes, calls: list[int]) -> Any:
    def make() -> bytes:
        calls.append(1)
        return content

    return make


def test_what_was_made_is_not_made_again() -> None:
    calls: list[int] = []
    for _ in range(3):
        assert cache.kept("graph", ["a", b"b"], made(b"one", calls)) == b"one"
    assert len(calls) == 1
    assert cache.kept("graph", ["ab"], made(b"two", calls)) == b"two"  # where parts end counts too
    assert [entry.kind for entry in cache.entries()] == ["graph", "graph"]


@pytest.mark.parametrize("damage", [b"", b"short", None], ids=["empty", "short", "one bit"])
def test_a_damaged_entry_is_made_again(damage: bytes | None) -> None:
    cache.kept("graph", ["a"], lambda: b"content")
    (entry,) = cache.entries()
    whole = entry.path.read_bytes()
    entry.path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]) if damage is None else damage)
    calls: list[int] = []
    assert cache.kept("graph", ["a"], made(b"content", calls)) == b"content"
    assert cache.kept("graph", ["a"], made(b"content", calls)) == b"content"
    assert len(calls) == 1


def test_nothing_is_kept_where_it_is_off_or_can_t_be_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write_text("a file where the folder should be")
    assert cache.kept("graph", ["a"], lambda: b"x") == b"x"
    assert cache.entries() == []
    monkeypatch.setenv(cache.VARIABLE, cache.OFF)
    assert cache.folder() is None
    assert cache.kept("graph", ["a"], lambda: b"x") == b"x"


def test_the_least_recently_used_leave_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MOST", 3 * 1032)
    for number in range(3):
        cache.kept("graph", [str(number)], lambda: bytes(1000))
    by_age = cache.entries()
    for age, entry in enumerate(by_age):
        os.utime(entry.path, (1000 - age, 1000 - age))
    oldest = by_age[-1]
    cache.kept("graph", ["new"], lambda: bytes(1000))
    left = {entry.path for entry in cache.entries()}
    assert len(left) == 3
    assert oldest.path not in left


def _write_for_ever(folder: str) -> None:
    os.environ[cache.VARIABLE] = folder
    number = 0
    while True:
        number += 1
        cache.kept("graph", [str(number % 5)], lambda value=number % 5: bytes([value]) * 3_000_000)
        for entry in cache.entries():
            entry.path.unlink(missing_ok=True)


def test_kills_while_it_is_written_leave_nothing_wrong(folder: Path) -> None:
    spawn = multiprocessing.get_context("fork")
    random = np.random.default_rng(0)
    for _ in range(20):
        writers = [spawn.Process(target=_write_for_ever, args=(str(folder),)) for _ in range(2)]
        for writer in writers:
            writer.start()
        time.sleep(random.uniform(0.01, 0.06))
        for writer in writers:
            writer.kill()
            writer.join()
        for number in range(5):
            want = bytes([number]) * 3_000_000
            assert cache.kept("graph", [str(number)], lambda want=want: want) == want
        cache.clear()
        assert list(folder.iterdir()) == []  # half-written files too


def test_a_network_is_exported_once_and_again_when_a_weight_changes(
    make_vit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxscript", reason="exporting needs the export extra")
    from fiqa.graph import exporter

    calls: list[int] = []
    real = exporter.export_graph
    monkeypatch.setattr(exporter, "export_graph", lambda *given: (calls.append(1), real(*given))[1])
    vit = make_vit(0, depth=2)
    crops = np.zeros((1, 112, 112, 3), np.uint8)

    def raw() -> float:
        scorer = Scorer(vit, "attn:block=0", engine="onnxruntime", threads=1)
        return float(scorer.score_crops(crops)["attn:block=0"][0])

    first = raw()
    assert raw() == first
    assert len(calls) == 1
    with torch.no_grad():
        vit.blocks[0].norm1.weight.mul_(2)
    assert raw() != first
    assert len(calls) == 2
    vit.blocks[0].register_forward_hook(lambda *_: None)  # could compute anything
    raw(), raw()
    assert len(calls) == 4


def test_the_command_lists_and_clears(folder: Path) -> None:
    cache.kept("graph", ["a"], lambda: b"content")
    listed = fiqa("cache").stdout.decode()
    assert "graph" in listed
    assert f"{folder}: 1 kept, 0.0 MB" in listed
    assert f"{folder}: 1 removed" in fiqa("cache", "--clear").stdout.decode()
    assert cache.entries() == []


def test_the_library_is_not_slowed_by_it() -> None:
    code = "import fiqa, sys; print('platformdirs' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
