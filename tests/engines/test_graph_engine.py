"""Evidence graphs: what they refuse, compile once, and hold in memory."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from engines.cases import BATCH, GRAPH_ENGINES, NEEDED, SMALL, WANTED, open_engine
from fiqa.engines import OnnxRuntimeEngine
from fiqa.errors import DataError, UsageError


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak is counted by Linux")
@pytest.mark.parametrize("engine", GRAPH_ENGINES)
def test_memory_does_not_grow_with_depth(engine):
    """All methods, each depth in a fresh process; a run time that keeps states takes 5 MB a block."""
    script = Path(__file__).parents[2] / "benchmarks" / "memory.py"
    peaks = []
    for depth in ("2", "6"):
        command = [sys.executable, str(script), "depth", depth, engine]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks.append(float(done.stdout.partition("blocks:")[2].split()[0]))
    assert peaks[1] < peaks[0] + 4, peaks


@pytest.mark.parametrize("name", GRAPH_ENGINES)
def test_what_a_graph_does_not_give_is_said(name, golden_vit, graph_of):
    vit = golden_vit("vitfiqa_token")
    engine = open_engine(name, vit, lambda: graph_of("vitfiqa_token", vit, NEEDED["vitfiqa_token"]))
    with pytest.raises(UsageError, match="does not give 'received/2'; export one that does"):
        engine.run(np.zeros((1, 112, 112, 3), np.uint8), ["exit/1", "received/2"])
    with pytest.raises(UsageError, match="reads a block that this network of 6 blocks does not have"):
        engine.run(np.zeros((1, 112, 112, 3), np.uint8), ["exit/7"])


def test_a_graph_of_something_else_is_a_data_error(graph_of, make_vit):
    onnx = pytest.importorskip("onnx")
    model = onnx.load_from_string(graph_of("small", make_vit(0, **SMALL)))
    del model.metadata_props[:]
    with pytest.raises(DataError, match="no evidence graph: make one with 'fiqa export'"):
        OnnxRuntimeEngine(model.SerializeToString())
    with pytest.raises(DataError, match="no ONNX file"):
        OnnxRuntimeEngine(b"not a graph")


def test_a_card_whose_grid_is_not_the_graph_s_is_a_data_error(graph_of, make_vit):
    onnx = pytest.importorskip("onnx")
    model = onnx.load_from_string(graph_of("small", make_vit(0, **SMALL)))
    for entry in model.metadata_props:
        entry.value = entry.value.replace('"grid": [7, 7]', '"grid": [5, 5]')
    engine = OnnxRuntimeEngine(model.SerializeToString())
    assert engine.card.grid == (5, 5)
    with pytest.raises(DataError, match=r"says 5×5 where 'received/1' has 49 patches: export it anew"):
        engine.run(BATCH, ["received/1"])


@pytest.mark.parametrize("name", GRAPH_ENGINES)
def test_a_request_is_compiled_once_however_many_threads_ask(name, make_vit, graph_of, monkeypatch):
    vit = make_vit(0, **SMALL)
    engine = open_engine(name, vit, lambda: graph_of("small", vit))
    compiled, compile_ = [], type(engine)._compile
    monkeypatch.setattr(
        type(engine), "_compile", lambda *arguments: (compiled.append(1), compile_(*arguments))[1]
    )
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: engine.run(BATCH, WANTED)[WANTED[0]], range(8)))
    assert len(compiled) == 1
    assert all(np.array_equal(one, found[0]) for one in found)
