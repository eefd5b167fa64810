"""The teacher: any ONNX recogniser, and what the default one (EdgeFace-XS) lends to the student's stem."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor

MAP = "map7"


class Teacher:
    """Runs an ONNX recogniser whose input is RGB (B, 3, 112, 112), (x / 255 − 0.5) / 0.5.

    The first output is the embedding. An output called ``map7`` (B, C, 7, 7), if there is one, is matched by
    the dense loss; without it that loss is left out.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        wanted = ["CUDAExecutionProvider", "CPUExecutionProvider"]
        providers = [p for p in wanted if p in onnxruntime.get_available_providers()]
        self.session = onnxruntime.InferenceSession(str(path), options, providers=providers)
        self.input = self.session.get_inputs()[0].name
        outputs = [o.name for o in self.session.get_outputs()]
        self.embedding, self.has_map = outputs[0], MAP in outputs

    def __call__(self, views: Tensor, with_map: bool = False) -> tuple[Tensor, Tensor | None]:
        """uint8 (B, 112, 112, 3) → L2-normalised embeddings (B, E) and, if asked for, maps (B, C, 7, 7)."""
        x = np.ascontiguousarray((views.float() / 127.5 - 1).permute(0, 3, 1, 2).cpu().numpy())
        names = [self.embedding] + ([MAP] if with_map and self.has_map else [])
        out = [torch.from_numpy(o).to(views.device) for o in self.session.run(names, {self.input: x})]
        return torch.nn.functional.normalize(out[0], dim=1), out[1] if len(out) > 1 else None


def edgeface_stem(path: Path) -> dict[str, Tensor]:
    """Weights of EdgeFace-XS's first two stages under the names of `fiqa.vit.ConvNeXtStem`.

    The stem convolution, stage 0 and the ConvNeXt blocks of stage 1 (those before its attention block), with
    LayerScale folded into ``fc2``. BSD-3, so a model card must name it.
    """
    import onnx

    graph = onnx.load(str(path)).graph
    values = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer}
    matrices = {
        n.name: values[n.input[1]] for n in graph.node if n.op_type == "MatMul" and n.input[1] in values
    }
    out: dict[str, NDArray[np.float32]] = {}

    def copy(target: str, source: str) -> None:
        for part in ("weight", "bias"):
            out[f"stem.{target}.{part}"] = values[f"t.model.{source}.{part}"]

    copy("conv0", "stem.0")
    copy("norm0", "stem.1")
    copy("norm1", "stages.1.downsample.0")
    copy("conv1", "stages.1.downsample.1")
    for stage, depth in ((0, 3), (1, 2)):
        for i in range(depth):
            block, source = f"stage{stage}.{i}", f"stages.{stage}.blocks.{i}"
            copy(f"{block}.dw", f"{source}.conv_dw")
            copy(f"{block}.norm", f"{source}.norm")
            node = f"/t/model/stages/stages.{stage}/blocks/blocks.{i}/mlp"
            gamma = values[f"t.model.{source}.gamma"]
            out[f"stem.{block}.fc1.weight"] = matrices[f"{node}/fc1/MatMul"].T
            out[f"stem.{block}.fc1.bias"] = values[f"t.model.{source}.mlp.fc1.bias"]
            out[f"stem.{block}.fc2.weight"] = matrices[f"{node}/fc2/MatMul"].T * gamma[:, None]
            out[f"stem.{block}.fc2.bias"] = values[f"t.model.{source}.mlp.fc2.bias"] * gamma
    return {name: torch.from_numpy(np.array(value)) for name, value in out.items()}
