"""An ONNX file of a user in → its card out, or one DataError that says why it can't be run.

What protobuf can read is checked as it stands: input, card, external data, tensors whose numbers are missing
or not finite. The rest (edges that end nowhere, operators and opsets that nobody knows, types that do not
fit, memory that only a run takes) is left to a trial on ONNX Runtime, which every install has.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from ..errors import DataError
from ..types import CROP_SHAPE, FloatArray, ModelCard
from . import onnx_file
from .trial import INPUT, try_out

_FLOAT, _UINT8, _FLOAT16, _DOUBLE, _BFLOAT16 = 1, 2, 10, 11, 16  # TensorProto.DataType
_RAW = {_FLOAT: "<f4", _FLOAT16: "<f2", _DOUBLE: "<f8"}
_EXTERNAL = 1  # TensorProto.DataLocation


def read_card(graph: bytes, name: str = "this ONNX file") -> ModelCard:
    """The card of an evidence graph; DataError, which begins with ``name``, if it has none."""
    text = onnx_file.metadata(graph).get("fiqa.card")
    if text is None:
        raise DataError(f"{name} is no evidence graph: make one with 'fiqa export'")
    return ModelCard.from_json(text)


def check(graph: bytes, name: str = "this ONNX file") -> ModelCard:
    """Check everything that can be checked before the first image.

    Args:
        graph: the serialised model.
        name: what to call it in errors.

    Returns:
        The model's card.

    Raises:
        DataError: one sentence on the first thing that is wrong.
    """
    found = read_card(graph, name)
    model = onnx_file.read(graph)
    _check_input(model.graph, name)
    _check_outputs(model.graph, name)
    for tensor in _tensors(model):
        _check_tensor(tensor, len(graph), name)
    for weight in model.graph.initializer:
        _check_finite(weight, name)
    try_out(graph, name)
    return found


def _check_input(graph: Any, name: str) -> None:
    weights = {weight.name for weight in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    rule = f"{name} must take one input '{INPUT}', uint8 (batch, 112, 112, 3)"
    if [value.name for value in inputs] != [INPUT]:
        raise DataError(f"{rule}, but takes {', '.join(repr(value.name) for value in inputs) or 'none'}")
    kind = inputs[0].type.tensor_type
    sides = tuple(size.dim_value for size in kind.shape.dim)  # 0: any
    if kind.elem_type != _UINT8 or sides != (0, *CROP_SHAPE):
        shape = ", ".join("any" if side == 0 else str(side) for side in sides)
        raise DataError(f"{rule}, but takes ({shape}) of ONNX's type {kind.elem_type}")


def _check_outputs(graph: Any, name: str) -> None:
    for output in graph.output:
        if output.type.tensor_type.elem_type != _FLOAT:
            raise DataError(
                f"{name} must give float32, but gives {output.name!r} in ONNX's type "
                f"{output.type.tensor_type.elem_type}"
            )


def _tensors(model: Any) -> Iterator[Any]:
    """Every tensor of a model, in whatever attribute, subgraph or function it stands."""
    yield from _of_graph(model.graph)
    for function in model.functions:
        yield from _of_nodes(function.node)


def _of_graph(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    yield from _dense(graph.sparse_initializer)
    yield from _of_nodes(graph.node)


def _of_nodes(nodes: Iterable[Any]) -> Iterator[Any]:
    for node in nodes:
        for attribute in node.attribute:
            yield from (attribute.tensor, *attribute.tensors)
            yield from _dense((attribute.sparse_tensor, *attribute.sparse_tensors))
            for graph in (attribute.graph, *attribute.graphs):
                yield from _of_graph(graph)


def _dense(sparse: Iterable[Any]) -> Iterator[Any]:
    for one in sparse:
        yield from (one.values, one.indices)


def _check_tensor(tensor: Any, n_bytes: int, name: str) -> None:
    if tensor.data_location == _EXTERNAL or tensor.external_data:
        raise DataError(f"{name} keeps {tensor.name!r} in another file: save it as one file, weights inside")
    if min(tensor.dims, default=1) < 0 or math.prod(tensor.dims) > 2 * n_bytes:  # at least 4 bits a number
        raise DataError(
            f"{name} says that {tensor.name!r} is {tuple(tensor.dims)}, which is more than the file holds"
        )


def _check_finite(weight: Any, name: str) -> None:
    values = _floats(weight)
    n_wrong = int(np.count_nonzero(~np.isfinite(values)))
    if n_wrong:
        raise DataError(
            f"{n_wrong} of the {values.size} numbers of {weight.name!r} in {name} are NaN or infinite: "
            "get or export the file again"
        )


def _floats(weight: Any) -> FloatArray:
    if not weight.raw_data:
        return np.asarray(weight.double_data or weight.float_data)
    if weight.data_type == _BFLOAT16:  # the upper half of a float32
        halves = np.frombuffer(weight.raw_data[: len(weight.raw_data) // 2 * 2], "<u2")
        return (halves.astype(np.uint32) << 16).view(np.float32)
    dtype = _RAW.get(weight.data_type)
    if dtype is None:
        return np.empty(0, np.float32)
    size = np.dtype(dtype).itemsize
    return np.frombuffer(weight.raw_data[: len(weight.raw_data) // size * size], dtype)
