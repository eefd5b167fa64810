"""Graphs that are small on disk and ask for much when they run: one DataError, before the memory is taken."""

from __future__ import annotations

import resource
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fiqa import Scorer
from fiqa.errors import DataError
from fiqa.graph import trial
from fiqa.graph.trial import reason, try_out

onnx = pytest.importorskip("onnx", reason="writes the graphs that are refused here")
SIDE = 2**14  # of a matrix of 1 GiB
ENGINES = ("onnxruntime", "openvino")


@pytest.fixture(scope="module")
def graph(make_vit: Callable[..., Any], graph_of: Callable[..., bytes]) -> bytes:
    config = {"depth": 4, "quality": "token", "quality_token": True, "head": "mean", "embedding": 6}
    return graph_of("small", make_vit(0, **config))


def _constant(model: Any, name: str, values: Any) -> str:
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(values), name))
    return name


def _nodes(kind: str, model: Any) -> list[Any]:
    """Nodes that make the tensor ``large`` of nothing."""
    sides, one = _constant(model, "sides", [SIDE, SIDE]), _constant(model, "one", np.ones((1, 1), np.float32))
    node = onnx.helper.make_node
    if kind == "ConstantOfShape":
        return [node(kind, [sides], ["large"])]
    if kind in ("Expand", "Tile"):
        return [node(kind, [one, sides], ["large"])]
    if kind == "Range":
        ends = [_constant(model, f"end{i}", np.float32(value)) for i, value in enumerate((0, 2**26, 0.25))]
        return [node(kind, ends, ["large"])]
    if kind == "Resize":
        return [node(kind, [one, "", "", sides], ["large"], mode="nearest")]
    half = _constant(model, "half", [SIDE // 2, SIDE // 2])  # a shape that stands nowhere in the file
    return [node("Add", [half, half], ["both"]), node("Expand", [one, "both"], ["large"])]


KINDS = ("ConstantOfShape", "Expand", "Tile", "Range", "Resize", "a computed shape")


def asking_for_much(graph: bytes, kind: str) -> bytes:
    """``graph`` with the first output plus the smallest number of a tensor of 1 GiB."""
    model = onnx.load_from_string(graph)
    output = model.graph.output[0].name
    for made in model.graph.node:
        for i, name in enumerate(made.output):
            if name == output:
                made.output[i] = "before"
    model.graph.node.extend(_nodes(kind, model))
    model.graph.node.append(onnx.helper.make_node("ReduceMin", ["large"], ["least"], keepdims=0))
    model.graph.node.append(onnx.helper.make_node("Add", ["before", "least"], [output]))
    changed: bytes = model.SerializeToString()
    return changed


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_graph_that_takes_a_gigabyte_is_refused(
    kind: str, engine: str, graph: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "large.onnx"
    path.write_bytes(asking_for_much(graph, kind))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(DataError, match="takes more than 512 MiB for one crop beside its weights"):
        Scorer(path, engine=engine, threads=1, align="none")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**19  # kilobytes


def test_a_loop_without_an_end_is_stopped(graph: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    model, helper = onnx.load_from_string(graph), onnx.helper
    kind = helper.make_tensor_value_info
    flag = partial(kind, elem_type=onnx.TensorProto.BOOL, shape=[])
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Not", ["was"], ["is"])],
        "body",
        [kind("i", onnx.TensorProto.INT64, []), flag("go"), flag("was")],
        [flag("on"), flag("is")],
    )
    _constant(model, "ever", np.int64(2**62))
    _constant(model, "true", np.True_)
    model.graph.node.append(helper.make_node("Loop", ["ever", "true", "true"], ["last"], body=body))
    monkeypatch.setattr(trial, "MOST_SECONDS", 0.5)
    with pytest.raises(DataError, match=r"'endless' takes more than .* seconds for one crop"):
        try_out(model.SerializeToString(), "'endless'")


def test_what_a_run_time_says_is_cut_to_one_line():
    said = "[ONNXRuntimeError] : 1 : FAIL : /src/model.cc:256 void onnxruntime::f(int) It is\nbroken."
    assert reason(RuntimeError(said)) == "It is broken"
    assert reason(ValueError()) == "ValueError"
