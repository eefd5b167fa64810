"""OpenVINO: an evidence graph in, evidence out."""

from __future__ import annotations

import numpy as np

from ..errors import require
from ..types import FloatArray, ImageArray
from .base import Compiled
from .graph_engine import GraphEngine
from .registry import ENGINES


@ENGINES.register
class OpenVINOEngine(GraphEngine):
    """OpenVINO on the CPU; ``int8`` quantises after training, with nncf."""

    name = "openvino"
    precisions = ("fp32", "bf16", "int8")
    needs = ("openvino", "openvino")
    rank = 1
    at_once = 8

    def _compile(self, graph: bytes, fetched: tuple[str, ...]) -> Compiled:
        openvino = require("openvino", "openvino", "engine 'openvino'")
        core = openvino.Core()
        if self.precision == "int8":
            from ..graph.storage import stored_openvino_int8

            model = stored_openvino_int8(core, graph)
        else:
            model = core.read_model(graph)
        compiled = core.compile_model(
            model,
            "CPU",
            {
                "NUM_STREAMS": self.streams,
                "INFERENCE_NUM_THREADS": self.streams * self.threads,
                "INFERENCE_PRECISION_HINT": "bf16" if self.precision == "bf16" else "f32",
                "ENABLE_CPU_PINNING": False,  # every process would take the same processors
            },
        )

        def run(crops: ImageArray) -> list[FloatArray]:
            found = compiled.create_infer_request().infer({0: crops})
            return [np.array(found[i], dtype=np.float32) for i in range(len(fetched))]

        return run
