"""int8 copies of an evidence graph, for CPUs; ranges are calibrated on the example faces, degraded.

Feature maps of a stem and attention matrices stay float32: 8 bits there cost the order of the faces for
little time (rank correlation with float32 on the embedded model: 0.6 to 0.8 with them, above 0.99 without).
"""

from __future__ import annotations

import io
import logging
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import require
from ..types import ImageArray


def onnx_int8(graph: bytes) -> bytes:
    """The serialised evidence graph with its products of tokens and weights in int8 (ONNX Runtime).

    Raises:
        MissingExtra: the onnx package is not installed.
    """
    onnx = require("onnx", "int8", "precision='int8' of onnxruntime")
    from onnxruntime.quantization import QuantType, quantize_static

    model = onnx.load(io.BytesIO(graph))
    del model.graph.value_info[:]  # of the whole graph, before it was cut
    _widen(model.graph, onnx)
    weights = {weight.name for weight in model.graph.initializer}
    shapes = onnx.shape_inference.infer_shapes(model).graph.value_info
    of_tokens = {shape.name for shape in shapes if len(shape.type.tensor_type.shape.dim) == 3}
    products = [
        node.name
        for node in model.graph.node
        if node.op_type == "MatMul" and node.output[0] in of_tokens and weights.intersection(node.input)
    ]
    if not products:
        return graph
    with tempfile.TemporaryDirectory() as folder, _quiet():
        source, target = Path(folder) / "fp32.onnx", Path(folder) / "int8.onnx"
        onnx.save(model, source)
        quantize_static(
            source,
            target,
            _Feed(_example_crops()),
            weight_type=QuantType.QInt8,
            activation_type=QuantType.QUInt8,
            nodes_to_quantize=products,
            op_types_to_quantize=["MatMul"],
            per_channel=True,
            reduce_range=True,  # 7 bits a weight: processors without VNNI add up products in 16 bits
            extra_options={"DedicatedQDQPair": True},
        )
        return target.read_bytes()


class _Feed:
    """Crops one by one, as ONNX Runtime's quantiser asks for them."""

    def __init__(self, crops: ImageArray) -> None:
        self._crops = iter(crops)

    def get_next(self) -> dict[str, ImageArray] | None:
        crop = next(self._crops, None)
        return None if crop is None else {"crops": crop[None]}


def _widen(graph: Any, onnx: Any) -> None:
    """Store float16 weights behind a Cast as float32: the quantiser knows no others."""
    weights = {weight.name: weight for weight in graph.initializer}
    nodes = []
    for node in graph.node:
        weight = weights.get(node.input[0]) if node.op_type == "Cast" else None
        if weight is None or weight.data_type != onnx.TensorProto.FLOAT16:
            nodes.append(node)
            continue
        values = onnx.numpy_helper.to_array(weight).astype(np.float32)
        weight.CopyFrom(onnx.numpy_helper.from_array(values, node.output[0]))
    kept = [type(node).FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(kept)


def openvino_int8(model: Any) -> Any:
    """The ``openvino.Model`` with its products of tokens and weights in int8 (by nncf).

    Raises:
        MissingExtra: nncf is not installed.
    """
    nncf = require("nncf", "int8", "precision='int8' of openvino")
    crops = _example_crops()
    spatial = [
        op.get_friendly_name()
        for op in model.get_ops()
        if op.get_type_name() in ("Convolution", "GroupConvolution", "MatMul")
        and len(op.get_output_partial_shape(0)) == 4
    ]
    dataset = nncf.Dataset([crop[None] for crop in crops])
    with _quiet():
        return nncf.quantize(
            model,
            dataset,
            subset_size=len(crops),
            model_type=nncf.ModelType.TRANSFORMER,
            fast_bias_correction=True,
            advanced_parameters=nncf.AdvancedQuantizationParameters(
                overflow_fix=nncf.OverflowFix.ENABLE  # as above
            ),
            ignored_scope=nncf.IgnoredScope(names=spatial),
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Progress goes to stderr, as stdout may be a table; notes about the quantiser's own work go nowhere."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        logging.disable(before)


def _example_crops() -> ImageArray:
    """uint8 (n, 112, 112, 3) RGB: the example faces and their mirror images, as they are and degraded."""
    from ..degradations import DEGRADATIONS, degrade
    from ..examples.portraits import example_crops

    crops = [np.ascontiguousarray(side) for crop in example_crops() for side in (crop, crop[:, ::-1])]
    severities = (0.1, 0.2, 0.3, 0.5, 0.8)
    ladder = [degrade(crop, kind, s, seed=0) for crop in crops for kind in DEGRADATIONS for s in severities]
    return np.stack([*crops, *ladder])
