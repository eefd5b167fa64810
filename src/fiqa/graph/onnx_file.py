"""Just enough of ONNX's format to read a graph's outputs and metadata and to cut it to what is asked for.

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

_STRING, _MESSAGE, _OPTIONAL, _REPEATED = 9, 11, 1, 3
_SCHEMA: Mapping[str, tuple[tuple[str, int, int, str], ...]] = {
    "Entry": (("key", 1, _OPTIONAL, ""), ("value", 2, _OPTIONAL, "")),
    "Named": (("name", 1, _OPTIONAL, ""),),  # ValueInfoProto
    "Tensor": (("name", 8, _OPTIONAL, ""),),
    "Node": (("input", 1, _REPEATED, ""), ("output", 2, _REPEATED, "")),
    "Graph": (
        ("node", 1, _REPEATED, "Node"),
        ("initializer", 5, _REPEATED, "Tensor"),
        ("output", 12, _REPEATED, "Named"),
        ("value_info", 13, _REPEATED, "Named"),
    ),
    "Model": (("graph", 7, _OPTIONAL, "Graph"), ("metadata_props", 14, _REPEATED, "Entry")),
}


@cache
def _model_type() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="fiqa_onnx_view.proto", package="fiqa", syntax="proto2")
    for name, fields in _SCHEMA.items():
        message = file.message_type.add(name=name)
        for field, number, label, kind in fields:
            message.field.add(
                name=field,
                number=number,
                label=label,
                type=_MESSAGE if kind else _STRING,
                type_name=f".fiqa.{kind}" if kind else None,
            )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("fiqa.Model"))


def _parse(graph: bytes) -> Any:
    try:
        model = _model_type().FromString(graph)
    except DecodeError as error:
        raise DataError(f"this is no ONNX file: {error}") from error
    if not model.graph.output:
        raise DataError("this is no ONNX file: it has no outputs")
    return model


def outputs(graph: bytes) -> tuple[str, ...]:
    """Names of a serialised model's outputs; DataError if it is no ONNX model."""
    return tuple(output.name for output in _parse(graph).graph.output)


def metadata(graph: bytes) -> dict[str, str]:
    """Metadata of a serialised model; DataError if it is no ONNX model."""
    return {entry.key: entry.value for entry in _parse(graph).metadata_props}


def prune(graph: bytes, keep: Iterable[str]) -> bytes:
    """The serialised model with only the outputs ``keep`` and the nodes and weights that they need.

    Raises:
        KeyError: an output that the model does not have.
    """
    model = _parse(graph)
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
