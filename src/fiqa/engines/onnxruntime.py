"""ONNX Runtime: an evidence graph in, evidence out; the engine of the core install."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .base import INPUT, Compiled, GraphEngine

if TYPE_CHECKING:
    pass


class OnnxRuntimeEngine(GraphEngine):
    """ONNX Runtime on the CPU; ``int8`` quantises after training (needs the onnx package)."""

    name = "onnxruntime"

    def _compile(self, graph: bytes, fetched: tuple[str, ...]) -> Compiled:
        import onnxruntime

        if self.precision == "int8":
            from ..graph.quantizer import onnx_int8

            graph = onnx_int8(graph)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.log_severity_level = 3
        # the default order puts the cheap evidence last and keeps every block's states alive until then
        options.execution_order = onnxruntime.ExecutionOrder.PRIORITY_BASED
        session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        return lambda crops: session.run(list(fetched), {INPUT: crops})
