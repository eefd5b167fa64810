"""OpenVINO: an evidence graph in, evidence out."""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import Any

import numpy as np

from ..errors import require
from ..types import FloatArray, ImageArray
from .base import Compiled
from .graph_engine import GraphEngine
from .registry import ENGINES

# OpenVINO's Python part looks NumPy up at the first array that it gives. Two threads that come first at the
# same time wait for each other for ever: one has Python's lock, the other that of the look-up.
_FIRST = threading.Lock()


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
        with _FIRST:
            openvino.Tensor(openvino.Type.u8, [1]).data  # noqa: B018
        idle: SimpleQueue[Any] = SimpleQueue()  # requests: a new one for each pass costs its memory anew
        for _ in range(self.streams):
            idle.put(compiled.create_infer_request())

        def run(crops: ImageArray) -> list[FloatArray]:
            request = idle.get()
            try:
                found = request.infer({0: crops}, share_outputs=True)
                return [np.array(found[i], dtype=np.float32) for i in range(len(fetched))]
            finally:
                idle.put(request)  # once nothing reads its memory

        return run
