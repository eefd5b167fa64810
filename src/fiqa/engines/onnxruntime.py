"""ONNX Runtime: an evidence graph in, evidence out; the engine of the core install."""

from __future__ import annotations

from ..errors import UsageError
from ..graph.trial import INPUT
from .base import Compiled
from .graph_engine import GraphEngine
from .registry import ENGINES

_PROVIDERS = ["CPUExecutionProvider"]


@ENGINES.register
class OnnxRuntimeEngine(GraphEngine):
    """ONNX Runtime on the CPU; ``int8`` quantises after training (needs the onnx package)."""

    name = "onnxruntime"
    precisions = ("fp32", "int8")
    rank = 2

    def _compile(self, graph: bytes, fetched: tuple[str, ...]) -> Compiled:
        import onnxruntime

        if self.precision == "int8":
            from ..graph.storage import stored_onnx_int8

            graph = stored_onnx_int8(graph)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.log_severity_level = 3
        # the default order puts the cheap evidence last and keeps every block's states alive until then
        options.execution_order = onnxruntime.ExecutionOrder.PRIORITY_BASED
        session = onnxruntime.InferenceSession(graph, options, providers=_PROVIDERS)
        if session.get_providers() != _PROVIDERS:  # of one that it lacks, ONNX Runtime only warns
            runs = ", ".join(session.get_providers())
            raise UsageError(f"onnxruntime was asked for {', '.join(_PROVIDERS)}, but runs {runs}")
        return lambda crops: session.run(list(fetched), {INPUT: crops})
