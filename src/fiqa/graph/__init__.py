"""A network in → an ONNX evidence graph out: exported, checked against torch, cut, in 8 bits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import lazy

if TYPE_CHECKING:
    from .exporter import export, export_graph
    from .quantizer import onnx_int8, openvino_int8

__all__ = ["export", "export_graph", "onnx_int8", "openvino_int8"]

__getattr__, __dir__, _ = lazy.attach(
    __name__,
    {"exporter": ["export", "export_graph"], "quantizer": ["onnx_int8", "openvino_int8"]},
    needs={"exporter": ("torch", "torch")},
)
