"""The student's stem: the first three stages of EdgeFace-XS as plain ConvNeXt blocks, fitted and then frozen.

    python training/stem.py runs/faces --teacher edgeface_xs.onnx --out runs/stem.safetensors

EdgeFace's stages 1 and 2 end with an attention over channels (SDTA), which the stem does not have. In stage 1
a ConvNeXt block that starts from SDTA's own MLP stands in for it, in stage 2 the other blocks take it over:
both are fitted to the teacher's maps (SmoothL1 of the standardised channels) on augmented training faces.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor

from augment import AugmentConfig, augment
from fiqa.network import ViTConfig
from fiqa.network.stems import ConvNeXtStem
from teacher import Teacher

SHAPE = {"stem_widths": (32, 64, 100), "stem_depths": (3, 3, 8), "stem_kernels": (3, 5, 7)}


def maps(stem: ConvNeXtStem, images: Tensor) -> tuple[Tensor, Tensor]:
    """Normalised images (B, 3, 112, 112) → what the stem projects: (B, 64, 14, 14) and (B, 100, 7, 7)."""
    fine = stem.stage1(stem.conv1(stem.norm1(stem.stage0(stem.norm0(stem.conv0(images))))))
    return fine, stem.stage2(stem.conv2(stem.norm2(fine)))


def edgeface_stem(path: Path) -> dict[str, Tensor]:
    """Weights of EdgeFace-XS's stages 0 to 2, named as in `fiqa.network.stems.ConvNeXtStem`, SDTA left out.

    LayerScale is folded into ``fc2``. BSD-3, so a model card must name it.
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
            out[f"{target}.{part}"] = values[f"t.model.{source}.{part}"]

    copy("conv0", "stem.0")
    copy("norm0", "stem.1")
    for stage in (1, 2):
        copy(f"norm{stage}", f"stages.{stage}.downsample.0")
        copy(f"conv{stage}", f"stages.{stage}.downsample.1")
    for stage, depth in enumerate(SHAPE["stem_depths"]):
        for i in range(depth):
            block, source = f"stage{stage}.{i}", f"stages.{stage}.blocks.{i}"
            copy(f"{block}.norm", f"{source}.norm")
            if (stage, i) == (1, 2):  # SDTA: its convolutions and its attention are left out
                width, kernel = SHAPE["stem_widths"][1], SHAPE["stem_kernels"][1]
                identity = np.zeros((width, 1, kernel, kernel), np.float32)
                identity[:, :, kernel // 2, kernel // 2] = 1
                out[f"{block}.dw.weight"], out[f"{block}.dw.bias"] = identity, np.zeros(width, np.float32)
            else:
                copy(f"{block}.dw", f"{source}.conv_dw")
            node = f"/t/model/stages/stages.{stage}/blocks/blocks.{i}/mlp"
            gamma = values[f"t.model.{source}.gamma"]
            out[f"{block}.fc1.weight"] = matrices[f"{node}/fc1/MatMul"].T
            out[f"{block}.fc1.bias"] = values[f"t.model.{source}.mlp.fc1.bias"]
            out[f"{block}.fc2.weight"] = matrices[f"{node}/fc2/MatMul"].T * gamma[:, None]
            out[f"{block}.fc2.bias"] = values[f"t.model.{source}.mlp.fc2.bias"] * gamma
    return {name: torch.from_numpy(np.array(value)) for name, value in out.items()}


def fit(
    stem: ConvNeXtStem, crops: NDArray[np.uint8], teacher: Teacher, views: int, steps: int, batch: int = 32
) -> list[float]:
    """Fit the stand-in and stage 2 in place; returns the loss of every step."""
    g = torch.Generator().manual_seed(0)
    stored: list[tuple[Tensor, Tensor, Tensor]] = []
    with torch.no_grad():
        for _ in range(max(1, views // batch)):
            index = torch.randint(len(crops), (batch,), generator=g).sort()[0]
            seen, _ = augment(torch.from_numpy(crops[index.numpy()]), AugmentConfig(), g)
            images = (seen.float() / 127.5 - 1).permute(0, 3, 1, 2)
            before = stem.conv1(stem.norm1(stem.stage0(stem.norm0(stem.conv0(images)))))
            before = stem.stage1[1](stem.stage1[0](before))
            stored.append((before.half(), *(m.half() for m in teacher.maps(seen))))
    scale = [torch.cat([s[k] for s in stored]).float().std((0, 2, 3), keepdim=True) for k in (1, 2)]
    trained = [stem.stage1[2], stem.norm2, stem.conv2, stem.stage2]
    parameters = [p for module in trained for p in module.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=1e-3, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-3, total_steps=steps, pct_start=0.1)
    losses = []
    for step in range(steps):
        if step % len(stored) == 0:
            order = torch.randperm(len(stored), generator=g).tolist()
        before, fine, coarse = (t.float() for t in stored[order[step % len(stored)]])
        x = stem.stage1[2](before)
        y = stem.stage2(stem.conv2(stem.norm2(x)))
        pairs = ((x, fine, scale[0]), (y, coarse, scale[1]))
        loss = torch.stack([F.smooth_l1_loss(a / s, b / s, beta=0.2) for a, b, s in pairs]).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
        if step % 50 == 0:
            print(step, round(losses[-1], 4), flush=True)
    return losses


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("faces", type=Path, help="folder that data.py wrote")
    parser.add_argument("--teacher", type=Path, required=True, help="EdgeFace-XS with its maps, ONNX")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--views", type=int, default=6400)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    stem = ConvNeXtStem(ViTConfig(width=32, depth=1, heads=1, mlp_width=32, stem="convnext", **SHAPE))
    stem.load_state_dict(edgeface_stem(args.teacher), strict=False)
    crops = np.load(args.faces / "crops.npy", mmap_mode="r")
    fit(stem, crops, Teacher(args.teacher, args.threads), args.views, args.steps)
    save_file({k: v.contiguous() for k, v in stem.state_dict().items() if not k.startswith("proj")}, args.out)


if __name__ == "__main__":
    main()
