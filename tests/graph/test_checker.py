"""Graphs that are damaged, or were made to do damage: one DataError each, before the first image."""

from __future__ import annotations

import json

import numpy as np
import pytest

from fiqa import Scorer
from fiqa.errors import DataError
from fiqa.graph.checker import check
from fiqa.models import find

onnx = pytest.importorskip("onnx", reason="writes the graphs that are refused here")
CONFIG = {"depth": 4, "quality": "token", "quality_token": True, "head": "mean", "embedding": 6}


@pytest.fixture(scope="module")
def graph(make_vit, graph_of):
    return graph_of("small", make_vit(0, **CONFIG))


def _weight(model):
    return next(one for one in model.graph.initializer if len(one.dims) == 2)


def _poison(value, dtype=np.float32):
    def change(model):
        weight = _weight(model)
        values = onnx.numpy_helper.to_array(weight).astype(dtype)
        values[1, 2] = value
        weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))

    return change


def _poison_list(model):
    weight = _weight(model)
    values = onnx.numpy_helper.to_array(weight).copy()
    values[1, 2] = np.nan
    weight.ClearField("raw_data")
    weight.float_data.extend(values.ravel().tolist())


def _external(model):
    weight = _weight(model)
    weight.ClearField("raw_data")
    weight.data_location = onnx.TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="/etc/passwd")


def _external_in_an_attribute(model):
    tensor = onnx.helper.make_tensor("inside", onnx.TensorProto.FLOAT, [1], [0.0])
    tensor.external_data.add(key="location", value="../weights.bin")
    model.graph.node.add(op_type="Constant", output=["unused"]).attribute.append(
        onnx.helper.make_attribute("value", tensor)
    )


def _external_in_a_branch(model):
    tensor = onnx.helper.make_tensor("inside", onnx.TensorProto.FLOAT, [1], [0.0])
    tensor.data_location = onnx.TensorProto.EXTERNAL
    branch = onnx.helper.make_graph([], "branch", [], [], [tensor])
    model.graph.node.add(op_type="If", output=["unused"]).attribute.append(
        onnx.helper.make_attribute("then_branch", branch)
    )


def _external_in_a_function(model):
    tensor = onnx.helper.make_tensor("inside", onnx.TensorProto.FLOAT, [1], [0.0])
    tensor.data_location = onnx.TensorProto.EXTERNAL
    function = model.functions.add(name="f", domain="d", output=["y"])
    function.node.add(op_type="Constant", output=["y"]).attribute.append(
        onnx.helper.make_attribute("value", tensor)
    )


def _huge(model):
    weight = _weight(model)
    weight.dims[0] = 2**40


def _input(shape=("batch", 112, 112, 3), kind="UINT8", name="crops"):
    def change(model):
        value = onnx.helper.make_tensor_value_info(name, getattr(onnx.TensorProto, kind), shape)
        model.graph.input[0].CopyFrom(value)

    return change


def _card(**values):
    def change(model):
        entry = next(one for one in model.metadata_props if one.key == "fiqa.card")
        entry.value = json.dumps({**json.loads(entry.value), **values})

    return change


def _card_text(text):
    def change(model):
        next(one for one in model.metadata_props if one.key == "fiqa.card").value = text

    return change


def _set(path, value):
    def change(model):
        owner = model
        *front, last = path
        for step in front:
            owner = owner[step] if isinstance(step, int) else getattr(owner, step)
        if isinstance(last, int):
            owner[last] = value
        else:
            setattr(owner, last, value)

    return change


BAD = {
    "a weight that is NaN": (_poison(np.nan), r"1 of the \d+ numbers of '.*' in .* are NaN or infinite"),
    "a weight that is infinite": (_poison(-np.inf), "NaN or infinite"),
    "a weight in float16": (_poison(np.inf, np.float16), "NaN or infinite"),
    "a weight in float64": (_poison(np.nan, np.float64), "NaN or infinite"),
    "a weight as a list": (_poison_list, "NaN or infinite"),
    "weights in another file": (_external, "keeps '.*' in another file: save it as one file"),
    "an attribute in another file": (_external_in_an_attribute, "keeps 'inside' in another file"),
    "a branch in another file": (_external_in_a_branch, "keeps 'inside' in another file"),
    "a function in another file": (_external_in_a_function, "keeps 'inside' in another file"),
    "a tensor of 10¹² numbers": (_huge, "which is more than the file holds"),
    "a float input": (_input(kind="FLOAT"), r"uint8 \(batch, 112, 112, 3\), but takes \(any, 112, 112, 3\)"),
    "a larger input": (_input(shape=("batch", 224, 224, 3)), r"but takes \(any, 224, 224, 3\)"),
    "channels first": (_input(shape=("batch", 3, 112, 112)), r"but takes \(any, 3, 112, 112\)"),
    "a fixed batch": (_input(shape=(2, 112, 112, 3)), r"but takes \(2, 112, 112, 3\)"),
    "an input of another name": (_input(name="images"), "one input 'crops', .* but takes 'images'"),
    "an edge from nowhere": (_set(("graph", "node", 20, "input", 0), "nowhere"), "can't be run: .*nowhere"),
    "an unknown operator": (
        _set(("graph", "node", 20, "op_type"), "Frobnicate"),
        "can't be run: .*Frobnicate",
    ),
    "an opset of the future": (
        _set(("opset_import", 0, "version"), 9999),
        "can't be run: ONNX Runtime only .* opset versions",
    ),
    "a format of the future": (_set(("ir_version",), 9999), "can't be run: .*"),
    "an output of nothing": (_set(("graph", "output", 0, "name"), "nothing"), "can't be run: .*nothing"),
    "an integer output": (
        _set(("graph", "output", 0, "type", "tensor_type", "elem_type"), onnx.TensorProto.INT64),
        "must give float32, but gives",
    ),
    "a depth of 10⁹": (_card(depth=10**9), "depth must be a whole number from 1 to 1000, but got 1000000000"),
    "a depth of 400 digits": (_card(depth=10**400), "depth must be .* but got a number of over 20 digits"),
    "a depth that is text": (_card(depth="12"), "depth must be a whole number"),
    "a depth that is true": (_card(depth=True), "depth must be a whole number"),
    "a fractional depth": (_card(depth=4.0), "depth must be a whole number"),
    "a grid of text": (_card(grid="77"), "a side of grid must be a whole number"),
    "a grid of one side": (_card(grid=[7]), "grid must be"),
    "a huge grid": (_card(grid=[10**9, 10**9]), "a side of grid must be a whole number from 1 to 1000"),
    "a nested grid": (_card(grid=[[7], [7]]), "a side of grid must be"),
    "defaults that are a list": (_card(defaults=["vitnt"]), "defaults must map"),
    "defaults that are numbers": (_card(defaults={"vitnt": 3}), "defaults must map"),
    "costs that are text": (_card(gflops=["a"] * 4), "gflops must be numbers"),
    "costs that are not finite": (_card(gflops=[float("nan")] * 4), "gflops must be numbers"),
    "exits that are a number": (_card(exits=1), "exits must be true or false"),
    "a name that is a list": (_card(name=["net"]), "name must be text"),
    "a card that is a list": (_card_text("[1, 2]"), "no model card"),
    "a card nested 100,000 deep": (_card_text("[" * 100_000), "no model card"),
    "a card that is no JSON": (_card_text("{"), "no model card"),
    "an empty card": (_card_text("{}"), "no model card"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_graph_is_one_data_error(kind, graph, tmp_path):
    change, message = BAD[kind]
    model = onnx.load_from_string(graph)
    change(model)
    path = tmp_path / "bad.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(DataError, match=message) as caught:
        find(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_graph_nested_too_deeply_is_a_data_error(graph):
    """Each level is an attribute that holds a graph; protobuf itself ends the recursion."""
    inner = b""
    for _ in range(3000):
        for field in (b"\x32", b"\x2a", b"\x0a"):  # attribute.graph, node.attribute, graph.node
            inner = field + _varint(len(inner)) + inner
    with pytest.raises(DataError, match="no ONNX file"):
        check(b"\x3a" + _varint(len(inner)) + inner)


def _varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def test_a_good_graph_passes(graph, tmp_path):
    assert check(graph).depth == 4
    path = tmp_path / "good.onnx"
    path.write_bytes(graph)
    assert Scorer(path, ["attn"], threads=1, align="none").card.depth == 4
