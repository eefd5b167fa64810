"""The teacher: any ONNX recogniser."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import torch
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
        self.length = self(torch.zeros(1, 112, 112, 3, dtype=torch.uint8))[0].shape[1]

    def __call__(self, views: Tensor, with_map: bool = False) -> tuple[Tensor, Tensor | None]:
        """uint8 (B, 112, 112, 3) → L2-normalised embeddings (B, E) and, if asked for, maps (B, C, 7, 7)."""
        x = np.ascontiguousarray((views.float() / 127.5 - 1).permute(0, 3, 1, 2).cpu().numpy())
        names = [self.embedding] + ([MAP] if with_map and self.has_map else [])
        out = [torch.from_numpy(o).to(views.device) for o in self.session.run(names, {self.input: x})]
        return torch.nn.functional.normalize(out[0], dim=1), out[1] if len(out) > 1 else None

    def maps(self, views: Tensor) -> list[Tensor]:
        """uint8 (B, 112, 112, 3) → EdgeFace-XS's maps after its second and third stage."""
        x = np.ascontiguousarray((views.float() / 127.5 - 1).permute(0, 3, 1, 2).cpu().numpy())
        return [torch.from_numpy(o) for o in self.session.run(["map14", "map7"], {self.input: x})]
