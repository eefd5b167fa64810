"""int8 copies of an evidence graph, for CPUs: dynamic for ONNX Runtime, calibrated for OpenVINO."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from .errors import require
from .types import ImageArray


def dynamic_int8(graph: bytes) -> bytes:
    """Weights of the matrix products as int8, activations quantised as they come (ONNX Runtime).

    Raises:
        MissingExtra: the onnx package is not installed.
    """
    onnx = require("onnx", "export", "precision='int8' of onnxruntime")
    from onnxruntime.quantization import QuantType, quantize_dynamic

    model = onnx.load(io.BytesIO(graph))
    del model.graph.value_info[:]  # stale shapes trip the quantiser
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "int8.onnx"
        quantize_dynamic(model, path, weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul"])
        return path.read_bytes()


def static_int8(model: Any, crops: ImageArray | None = None) -> Any:
    """Weights and activations as int8, ranges calibrated on ``crops`` (OpenVINO, by nncf).

    Args:
        model: an openvino.Model.
        crops: uint8 (n, 112, 112, 3) RGB to calibrate on; by default the example faces and their
            degradations.

    Raises:
        MissingExtra: nncf is not installed.
    """
    nncf = require("nncf", "int8", "precision='int8' of openvino")
    if crops is None:
        crops = _example_crops()
    dataset = nncf.Dataset([crop[None] for crop in crops])
    return nncf.quantize(
        model,
        dataset,
        subset_size=len(crops),
        model_type=nncf.ModelType.TRANSFORMER,
        fast_bias_correction=True,
    )


def _example_crops() -> ImageArray:
    from .evaluation.synthetic import DEGRADATIONS, degrade
    from .examples import example_crops

    crops = example_crops()
    ladder = [degrade(crop, kind, s, seed=0) for crop in crops for kind in DEGRADATIONS for s in (0.3, 0.7)]
    return np.stack([*crops, *ladder])
