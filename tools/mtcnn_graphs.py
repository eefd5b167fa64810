"""Writes the three graphs of MTCNN without their weights: ``python tools/mtcnn_graphs.py`` (needs onnx).

The graphs beside this file are its output. They hold the architecture only (a few kilobytes); the weights
come from the ``mtcnn`` wheel at run time, as external initialisers named ``w00``, ``w01``, … in the order in
which that wheel stores them. K. Zhang et al., Joint Face Detection and Alignment Using Multitask Cascaded
Convolutional Networks, IEEE SPL 2016.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from onnx import TensorProto, helper

OPSET = 17
IR_VERSION = 8


class _Net:
    """Appends layers to a graph; each takes its weights from the next names in order."""

    def __init__(self, size: int | None) -> None:
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self.n_weights = 0
        side: list[Any] = ["height", "width"] if size is None else [size, size]
        self.input = helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", *side, 3])
        self.last = "image"
        self.add("Cast", to=TensorProto.FLOAT)
        self.add("Sub", [self.constant("middle", [127.5])])
        self.add("Div", [self.constant("half_range", [128.0])])
        self.add("Transpose", perm=[0, 3, 1, 2])

    def constant(self, name: str, values: list[float]) -> str:
        self.initializers.append(helper.make_tensor(name, TensorProto.FLOAT, [len(values)], values))
        return name

    def weight(self, *shape: int) -> str:
        name = f"w{self.n_weights:02d}"
        self.n_weights += 1
        tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=shape)
        tensor.data_location = TensorProto.EXTERNAL
        location = tensor.external_data.add()
        location.key, location.value = "location", "mtcnn"
        self.initializers.append(tensor)
        return name

    def add(
        self, op: str, extra: list[str] | None = None, source: str | None = None, **attributes: Any
    ) -> str:
        name = f"x{len(self.nodes):02d}"
        self.nodes.append(helper.make_node(op, [source or self.last, *(extra or [])], [name], **attributes))
        self.last = name
        return name

    def conv(self, n_in: int, n_out: int, kernel: int, source: str | None = None) -> str:
        return self.add("Conv", [self.weight(n_out, n_in, kernel, kernel), self.weight(n_out)], source)

    def conv_prelu(self, n_in: int, n_out: int, kernel: int) -> None:
        self.conv(n_in, n_out, kernel)
        self.add("PRelu", [self.weight(n_out, 1, 1)])

    def pool(self, kernel: int, padded: bool) -> None:
        padding = "SAME_UPPER" if padded else "VALID"
        self.add("MaxPool", kernel_shape=[kernel, kernel], strides=[2, 2], auto_pad=padding)

    def flatten(self) -> None:
        self.add("Transpose", perm=[0, 3, 2, 1])  # the weights were trained column by column
        self.add("Flatten")

    def dense(self, n_in: int, n_out: int, source: str | None = None) -> str:
        return self.add("Gemm", [self.weight(n_in, n_out), self.weight(n_out)], source)

    def model(self, outputs: dict[str, tuple[str, list[Any]]]) -> Any:
        values = []
        for name, (source, shape) in outputs.items():
            self.nodes.append(helper.make_node("Identity", [source], [name]))
            values.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape]))
        graph = helper.make_graph(self.nodes, "mtcnn", [self.input], values, self.initializers)
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
        model.producer_name = "fiqa"
        return model


def proposal() -> Any:
    """P-Net: any image → (batch, 4, h, w) box offsets and (batch, 2, h, w) probabilities, a cell of 12 pixels
    every 2 pixels."""
    net = _Net(None)
    net.conv_prelu(3, 10, 3)
    net.pool(2, padded=True)
    net.conv_prelu(10, 16, 3)
    net.conv_prelu(16, 32, 3)
    trunk = net.last
    offsets = net.conv(32, 4, 1, trunk)
    net.conv(32, 2, 1, trunk)
    score = net.add("Softmax", axis=1)
    return net.model({"offsets": (offsets, [4, "rows", "columns"]), "score": (score, [2, "rows", "columns"])})


def refinement() -> Any:
    """R-Net: 24×24 patches → (batch, 4) box offsets and (batch, 2) probabilities."""
    net = _Net(24)
    net.conv_prelu(3, 28, 3)
    net.pool(3, padded=True)
    net.conv_prelu(28, 48, 3)
    net.pool(3, padded=False)
    net.conv_prelu(48, 64, 2)
    net.flatten()
    net.dense(576, 128)
    trunk = net.add("PRelu", [net.weight(128)])
    offsets = net.dense(128, 4, trunk)
    net.dense(128, 2, trunk)
    score = net.add("Softmax", axis=1)
    return net.model({"offsets": (offsets, [4]), "score": (score, [2])})


def output() -> Any:
    """O-Net: 48×48 patches → (batch, 4) box offsets, (batch, 10) landmarks x1…x5 y1…y5 in units of the patch,
    and (batch, 2) probabilities."""
    net = _Net(48)
    net.conv_prelu(3, 32, 3)
    net.pool(3, padded=True)
    net.conv_prelu(32, 64, 3)
    net.pool(3, padded=False)
    net.conv_prelu(64, 64, 3)
    net.pool(2, padded=True)
    net.conv_prelu(64, 128, 2)
    net.flatten()
    net.dense(1152, 256)
    trunk = net.add("PRelu", [net.weight(256)])
    offsets = net.dense(256, 4, trunk)
    landmarks = net.dense(256, 10, trunk)
    net.dense(256, 2, trunk)
    score = net.add("Softmax", axis=1)
    return net.model({"offsets": (offsets, [4]), "landmarks": (landmarks, [10]), "score": (score, [2])})


GRAPHS = {"pnet": proposal, "rnet": refinement, "onet": output}


def write(folder: Path) -> None:
    """Write ``pnet.onnx``, ``rnet.onnx`` and ``onet.onnx`` into ``folder``."""
    for name, build in GRAPHS.items():
        (folder / f"{name}.onnx").write_bytes(build().SerializeToString(deterministic=True))


if __name__ == "__main__":
    write(Path(__file__).parents[1] / "src" / "fiqa" / "faces" / "mtcnn")
