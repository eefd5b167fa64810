"""An engine of another package: ONNX Runtime under another name."""

from fiqa.engines import OnnxRuntimeEngine


class GuestEngine(OnnxRuntimeEngine):
    name = "guest-engine"
    rank = 90
