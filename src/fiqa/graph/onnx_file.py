"""Just enough of ONNX's format to read a graph's outputs and metadata, to check it and to cut it.

ONNX Runtime runs every node of a graph, whichever outputs are fetched, so an early exit must be cut out of
the file. protobuf (which ONNX Runtime brings) keeps the fields that a message type does not declare, so a
view that declares a handful of fields rewrites any model faithfully, without the onnx package.
Field numbers: onnx.proto3 of the ONNX standard.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from ..errors import DataError

_DOUBLE, _FLOAT, _INT64, _INT32, _STRING, _BYTES = 1, 2, 3, 5, 9, 12  # protobuf's numbers of its types
_MESSAGE, _OPTIONAL, _REPEATED = 11, 1, 3
# message → (field, its number, label, type or message)
_SCHEMA: Mapping[str, tuple[tuple[str, int, int, int | str], ...]] = {
    "Entry": (("key", 1, _OPTIONAL, _STRING), ("value", 2, _OPTIONAL, _STRING)),
    "Dimension": (("dim_value", 1, _OPTIONAL, _INT64),),
    "Shape": (("dim", 1, _REPEATED, "Dimension"),),
    "TensorType": (("elem_type", 1, _OPTIONAL, _INT32), ("shape", 2, _OPTIONAL, "Shape")),
    "Type": (("tensor_type", 1, _OPTIONAL, "TensorType"),),
    "Named": (("name", 1, _OPTIONAL, _STRING), ("type", 2, _OPTIONAL, "Type")),  # ValueInfoProto
    "Tensor": (
        ("dims", 1, _REPEATED, _INT64),
        ("data_type", 2, _OPTIONAL, _INT32),
        ("float_data", 4, _REPEATED, _FLOAT),
        ("name", 8, _OPTIONAL, _STRING),
        ("raw_data", 9, _OPTIONAL, _BYTES),
        ("double_data", 10, _REPEATED, _DOUBLE),
        ("external_data", 13, _REPEATED, "Entry"),
        ("data_location", 14, _OPTIONAL, _INT32),
    ),
    "Sparse": (("values", 1, _OPTIONAL, "Tensor"), ("indices", 2, _OPTIONAL, "Tensor")),
    "Attribute": (
        ("tensor", 5, _OPTIONAL, "Tensor"),
        ("graph", 6, _OPTIONAL, "Graph"),
        ("tensors", 10, _REPEATED, "Tensor"),
        ("graphs", 11, _REPEATED, "Graph"),
        ("sparse_tensor", 22, _OPTIONAL, "Sparse"),
        ("sparse_tensors", 23, _REPEATED, "Sparse"),
    ),
    "Node": (
        ("input", 1, _REPEATED, _STRING),
        ("output", 2, _REPEATED, _STRING),
        ("attribute", 5, _REPEATED, "Attribute"),
    ),
    "Graph": (
        ("node", 1, _REPEATED, "Node"),
        ("initializer", 5, _REPEATED, "Tensor"),
        ("input", 11, _REPEATED, "Named"),
        ("output", 12, _REPEATED, "Named"),
        ("value_info", 13, _REPEATED, "Named"),
        ("sparse_initializer", 15, _REPEATED, "Sparse"),
    ),
    "Function": (("node", 7, _REPEATED, "Node"),),
    "Model": (
        ("graph", 7, _OPTIONAL, "Graph"),
        ("metadata_props", 14, _REPEATED, "Entry"),
        ("functions", 25, _REPEATED, "Function"),
    ),
}


@cache
def _model_type() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="fiqa_onnx_view.proto", package="fiqa", syntax="proto2")
    for name, fields in _SCHEMA.items():
        message = file.message_type.add(name=name)
        for field, number, label, kind in fields:
            declared = message.field.add(name=field, number=number, label=label)
            if isinstance(kind, str):
                declared.type, declared.type_name = _MESSAGE, f".fiqa.{kind}"
            else:
                declared.type = kind
                declared.options.packed = label == _REPEATED and kind in (_FLOAT, _DOUBLE)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("fiqa.Model"))


def read(graph: bytes) -> Any:
    """The message of a serialised model, with the fields above; DataError if it is no ONNX model."""
    try:
        model = _model_type().FromString(graph)
    except DecodeError as error:
        raise DataError(f"this is no ONNX file: {error}") from error
    if not model.graph.output:
        raise DataError("this is no ONNX file: it has no outputs")
    return model


def outputs(graph: bytes) -> tuple[str, ...]:
    """Names of a serialised model's outputs; DataError if it is no ONNX model."""
    return tuple(output.name for output in read(graph).graph.output)


def metadata(graph: bytes) -> dict[str, str]:
    """Metadata of a serialised model; DataError if it is no ONNX model."""
    return {entry.key: entry.value for entry in read(graph).metadata_props}


def prune(graph: bytes, keep: Iterable[str]) -> bytes:
    """The serialised model with only the outputs ``keep`` and the nodes and weights that they need.

    Raises:
        KeyError: an output that the model does not have.
    """
    model = read(graph)
    by_name = {output.name: output for output in model.graph.output}
    wanted = [by_name[name] for name in keep]
    needed = {output.name for output in wanted}
    nodes = []
    for node in reversed(model.graph.node):  # ONNX keeps nodes in topological order
        if needed.intersection(node.output):
            needed.update(node.input)
            nodes.append(node)
    weights = [weight for weight in model.graph.initializer if weight.name in needed]
    for field, kept in (
        ("node", nodes[::-1]),
        ("initializer", weights),
        ("output", wanted),
        ("value_info", []),
    ):
        copies = [type(item).FromString(item.SerializeToString()) for item in kept]
        model.graph.ClearField(field)
        getattr(model.graph, field).extend(copies)
    return bytes(model.SerializeToString())
