"""Reading and cutting ONNX graphs without the onnx package."""

from __future__ import annotations

import contextlib
import itertools

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiqa.errors import DataError
from fiqa.graph import onnx_file as _graph
from fiqa.types import ModelCard

onnx = pytest.importorskip("onnx", reason="writes the graphs that are cut here")
CONFIG = {"depth": 4, "quality": "token", "quality_token": True, "head": "mean", "embedding": 6}


@pytest.fixture(scope="module")
def graph(make_vit, graph_of):
    return graph_of("small", make_vit(0, **CONFIG))


def _run(graph, names, crops):
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    assert [output.name for output in session.get_outputs()] == list(names)
    return session.run(None, {"crops": crops})


def _nodes(graph):
    return len(onnx.load_from_string(graph).graph.node)


def _weights(graph):
    return sum(int(np.prod(w.dims)) for w in onnx.load_from_string(graph).graph.initializer)


def test_outputs_and_metadata_are_those_that_onnx_reads(graph):
    model = onnx.load_from_string(graph)
    assert _graph.outputs(graph) == tuple(output.name for output in model.graph.output)
    assert _graph.metadata(graph) == {entry.key: entry.value for entry in model.metadata_props}
    assert ModelCard.from_json(_graph.metadata(graph)["fiqa.card"]).depth == 4


@pytest.mark.parametrize(
    "keep",
    [
        ("exit/1",),
        ("exit/3", "exit/1"),
        ("step/0-1/final", "received/1"),
        ("logits/3/mean", "embedding"),
        ("logits/3/median", "logits/0/mean", "state/2/none"),
    ],
    ids=str,
)
def test_a_cut_graph_gives_the_same_numbers_in_the_asked_order(keep, graph, crops):
    whole = dict(zip(_graph.outputs(graph), _run(graph, _graph.outputs(graph), crops), strict=True))
    cut = _graph.prune(graph, keep)
    onnx.checker.check_model(onnx.load_from_string(cut))
    assert _graph.metadata(cut) == _graph.metadata(graph)
    for name, values in zip(keep, _run(cut, keep, crops), strict=True):
        np.testing.assert_allclose(values, whole[name], rtol=1e-5, atol=1e-6)


def test_an_earlier_exit_is_a_smaller_graph(graph):
    cuts = [_graph.prune(graph, [f"exit/{number}"]) for number in (1, 2, 3, 4)]
    sizes = [(_nodes(cut), _weights(cut), len(cut)) for cut in cuts]
    assert sizes == sorted(sizes)
    assert len({n for n, _, _ in sizes}) == 4
    per_block = 4 * 16 * 16 + 2 * 16 * 24
    assert all(b[1] - a[1] >= per_block for a, b in itertools.pairwise(sizes))
    assert _nodes(cuts[-1]) < _nodes(graph)


def test_attention_logits_need_neither_softmax_nor_mlp_of_their_block(graph):
    def count(cut, kind):
        return sum(node.op_type == kind for node in onnx.load_from_string(cut).graph.node)

    logits, exit_ = _graph.prune(graph, ["logits/3/mean"]), _graph.prune(graph, ["exit/4"])
    assert count(logits, "Softmax") == 3
    assert count(exit_, "Softmax") == 4
    assert _weights(logits) <= _weights(exit_) - (16 * 16 + 2 * 16 * 24)


def test_cutting_to_everything_changes_nothing(graph, crops):
    names = _graph.outputs(graph)
    again = _graph.prune(graph, names)
    for got, want in zip(_run(again, names, crops), _run(graph, names, crops), strict=True):
        np.testing.assert_array_equal(got, want)


def test_an_output_that_is_not_there_is_a_key_error(graph):
    with pytest.raises(KeyError, match="exit/9"):
        _graph.prune(graph, ["exit/9"])


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"\x89PNG\r\n\x1a\n", b"PK\x03\x04" + bytes(40), bytes(100)]
)
def test_other_bytes_are_a_data_error(content):
    for read in (_graph.outputs, _graph.metadata, lambda graph: _graph.prune(graph, ["exit/1"])):
        with pytest.raises(DataError, match="no ONNX file"):
            read(content)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_random_bytes_are_a_data_error_or_a_graph(content):
    with contextlib.suppress(DataError):
        assert _graph.outputs(content)


@settings(max_examples=60, deadline=None)
@given(st.floats(0, 1))
def test_a_truncated_graph_is_a_data_error(graph, share):
    with pytest.raises(DataError):
        _graph.outputs(graph[: int(share * (len(graph) - 1))])
