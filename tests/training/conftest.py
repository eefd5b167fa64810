"""A tiny teacher and a tiny set of faces: what a run needs, in fractions of a second."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "training"))

pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")


@pytest.fixture(scope="session")
def teacher_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random 'recogniser': pooled pixels → 32 numbers, with maps of the shapes that EdgeFace-XS has."""
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(1)
    nodes, weights = [], []

    def weight(name: str, shape: tuple[int, ...]) -> None:
        values = rng.standard_normal(shape) * np.prod(shape[1:]) ** -0.5
        weights.append(numpy_helper.from_array(values.astype(np.float32), name))

    for side, channels in ((14, 64), (7, 100)):
        kernel = 112 // side
        nodes.append(
            helper.make_node(
                "AveragePool", ["crops"], [f"p{side}"], kernel_shape=[kernel] * 2, strides=[kernel] * 2
            )
        )
        weight(f"w{side}", (channels, 3, 1, 1))
        nodes.append(helper.make_node("Conv", [f"p{side}", f"w{side}"], [f"map{side}"]))
    weight("w", (32, 147))
    nodes.append(helper.make_node("Flatten", ["p7"], ["flat"]))
    nodes.append(helper.make_node("Gemm", ["flat", "w"], ["embedding"], transB=1))
    outputs = {"embedding": ["b", 32], "map14": ["b", 64, 14, 14], "map7": ["b", 100, 7, 7]}
    graph = helper.make_graph(
        nodes,
        "teacher",
        [helper.make_tensor_value_info("crops", TensorProto.FLOAT, ["b", 3, 112, 112])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path = tmp_path_factory.mktemp("teacher") / "teacher.onnx"
    onnx.save(model, path)
    return path


@pytest.fixture(scope="session")
def face_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six people with eight pictures each, and sixteen pictures without identity: coloured smooth noise."""
    root = tmp_path_factory.mktemp("faces")
    rng = np.random.default_rng(0)
    for folder, n in [(f"pins/person{k}", 8) for k in range(6)] + [("utk", 16)]:
        base = rng.integers(0, 256, (7, 7, 3))
        (root / folder).mkdir(parents=True)
        for i in range(n):
            small = base if folder != "utk" else rng.integers(0, 256, (7, 7, 3))
            small = np.clip(small + rng.normal(0, 15, small.shape), 0, 255).astype(np.uint8)
            Image.fromarray(small).resize((112, 112), Image.Resampling.BICUBIC).save(
                root / folder / f"{i}.png"
            )
    return root


@pytest.fixture(scope="session")
def packed(face_folder: Path, teacher_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder as `data.pack` writes it."""
    from data import pack

    out = tmp_path_factory.mktemp("packed")
    assert pack([face_folder], teacher_file, out, {"utk"}, threads=1) == 64
    return out
