"""Train the alignment refiner: a jittered crop in → the similarity that puts it right out.

    python training/refiner.py runs/faces --out src/fiqa/faces/refiner.onnx

Aligned training crops are turned, scaled and shifted as a detector's errors would, and the network has to say
by how much. It sees the middle of a crop only (``WINDOW``), and a jitter that would need pixels from outside
the source is drawn anew: so no border gives the answer away. Prints the error left on people held out, in
pixels of the crop at the five points of the template, before and after.
"""

from __future__ import annotations

import argparse
import math
import os
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from augment import AugmentConfig, degrade_some, recolour
from fiqa.faces import TEMPLATE

LEFT, TOP, SIDE = 16, 22, 80  # the window of the crop that the network sees
CENTRE = 55.5  # what a correction turns and scales about, in pixels, x and y alike
SHIFT, ANGLE, SCALE = 3.0, math.radians(3.5), 0.05  # standard deviations of the jitter
AUGMENT = AugmentConfig(degraded=0.25, power=2.0, local=0.0)


class RefinerNet(nn.Module):
    """Crops uint8 (B, 112, 112, 3) → (B, 4): shift x and y in pixels, angle in radians, log of the scale."""

    unit: Tensor

    def __init__(self, widths: tuple[int, ...] = (12, 24, 48, 64), hidden: int = 64) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for width in widths:  # 80 → 40 → 20 → 10 → 5
            layers += [nn.Conv2d(before, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            before = width
        cells = (SIDE >> len(widths)) ** 2
        layers += [nn.Flatten(), nn.Linear(cells * before, hidden), nn.ReLU(), nn.Linear(hidden, 4)]
        self.layers = nn.Sequential(*layers)
        self.register_buffer("unit", torch.tensor([SHIFT, SHIFT, ANGLE, SCALE]))

    def forward(self, crops: Tensor) -> Tensor:
        window = crops[:, TOP : TOP + SIDE, LEFT : LEFT + SIDE].permute(0, 3, 1, 2).float()
        return self.seen((window - 127.5) / 64)

    def seen(self, window: Tensor) -> Tensor:
        """The same of normalised windows (B, 3, 80, 80)."""
        return self.layers(window) * self.unit


def corrected(points: Tensor, correction: Tensor) -> Tensor:
    """Points (n, 2) of a crop, in pixels, and corrections (B, 4) → where they belong (B, n, 2)."""
    shift, angle, log_scale = correction[:, :2], correction[:, 2], correction[:, 3]
    cos, sin = torch.cos(angle) * log_scale.exp(), torch.sin(angle) * log_scale.exp()
    linear = torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], -2)  # (B, 2, 2)
    return (points - CENTRE) @ linear.transpose(1, 2) + CENTRE + shift[:, None]


def jitter(n: int, g: torch.Generator, spread: float = 1.0) -> Tensor:
    """Corrections (n, 4) whose window lies within the source."""
    edge = torch.tensor([0.0, SIDE - 1.0])
    corners = torch.cartesian_prod(edge, edge) + torch.tensor([LEFT, TOP])
    unit = torch.tensor([SHIFT, SHIFT, ANGLE, SCALE])
    kept: list[Tensor] = []
    while sum(map(len, kept)) < n:
        drawn = torch.randn(2 * n, 4, generator=g) * unit * spread
        at = corrected(corners, drawn)
        kept.append(drawn[(at.amin((1, 2)) >= 0) & (at.amax((1, 2)) <= 111)])
    return torch.cat(kept)[:n]


def views(crops: Tensor, correction: Tensor, g: torch.Generator) -> Tensor:
    """Crops uint8 (B, 112, 112, 3) seen through jitters (B, 4): normalised windows (B, 3, 80, 80)."""
    b = len(crops)
    y, x = torch.meshgrid(torch.arange(TOP, TOP + SIDE), torch.arange(LEFT, LEFT + SIDE), indexing="ij")
    at = corrected(torch.stack([x, y], -1).flatten(0, 1).float(), correction).view(b, SIDE, SIDE, 2)
    source = crops.permute(0, 3, 1, 2).float() / 255
    seen = F.grid_sample(source, (at + 0.5) / 56 - 1, "bilinear", "border", align_corners=False)
    seen = degrade_some(recolour(seen, AUGMENT, g), AUGMENT, g)[0]
    return (seen * 255 - 127.5) / 64


def error(said: Tensor, correction: Tensor) -> Tensor:
    """Mean distance (B,) in pixels, at the template's points, between two corrections."""
    points = torch.from_numpy(TEMPLATE)
    return (corrected(points, said) - corrected(points, correction)).norm(dim=-1).mean(1)


def export(net: RefinerNet, out: Path) -> None:
    """The network as one ONNX file: ``crops`` uint8 (B, 112, 112, 3) → ``correction`` (B, 4)."""
    program = torch.onnx.export(
        net.eval(), (torch.zeros(2, 112, 112, 3, dtype=torch.uint8),), dynamo=True, verbose=False,
        input_names=["crops"], output_names=["correction"],
        dynamic_shapes=({0: torch.export.Dim("b", min=1, max=4096)},),
    )  # fmt: skip
    assert program is not None
    out.write_bytes(program.model_proto.SerializeToString())


@torch.no_grad()
def held_out_error(
    net: RefinerNet, crops: NDArray[np.uint8], rows: NDArray[np.int64], spread: float = 1.0
) -> tuple[float, float]:
    """Mean error in pixels before and after, on one jitter each of faces that were not learned from."""
    g = torch.Generator().manual_seed(1)
    before, after = [], []
    net.eval()
    for some in np.array_split(rows, max(1, len(rows) // 64)):
        truth = jitter(len(some), g, spread)
        said = net.seen(views(torch.from_numpy(crops[some]), truth, g))
        before.append(error(torch.zeros_like(truth), truth))
        after.append(error(said, truth))
    net.train()
    return float(torch.cat(before).mean()), float(torch.cat(after).mean())


def fit(net: RefinerNet, crops: NDArray[np.uint8], rows: NDArray[np.int64], held: NDArray[np.int64],
        steps: int, batch: int, lr: float, checkpoint: Path, spread: float = 1.0) -> None:  # fmt: skip
    """Train in place, one cosine to zero; goes on from ``checkpoint`` as if it had never stopped."""
    optimiser = torch.optim.AdamW(net.parameters(), lr=lr, weight_decay=0.01)
    first = 0
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        net.load_state_dict(saved["net"])
        optimiser.load_state_dict(saved["optimiser"])
        first = saved["step"]
    net.train()
    for step in range(first, steps):
        g = torch.Generator().manual_seed(step)
        some = rows[torch.randint(len(rows), (batch,), generator=g).sort()[0].numpy()]
        truth = jitter(batch, g, spread)
        said = net.seen(views(torch.from_numpy(crops[some]), truth, g))
        loss = error(said, truth).mean()
        for group in optimiser.param_groups:
            group["lr"] = lr * min(1.0, (step + 1) / 50) * (1 + math.cos(math.pi * step / steps)) / 2
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if (step + 1) % 100 == 0 or step + 1 == steps:
            before, after = held_out_error(net, crops, held, spread)
            print(
                f"step {step + 1}: loss {loss.item():.3f}, held out {before:.3f} → {after:.3f} px", flush=True
            )
            saved = {"net": net.state_dict(), "optimiser": optimiser.state_dict(), "step": step + 1}
            torch.save(saved, f"{checkpoint}.part")
            os.replace(f"{checkpoint}.part", checkpoint)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("faces", type=Path, help="folder that data.py wrote")
    parser.add_argument("--out", type=Path, required=True, help=".onnx; beside it a .pt to go on from")
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--batch", type=int, default=96)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--spread", type=float, default=1.0, help="factor on the jitter's deviations")
    parser.add_argument("--weights", type=Path, help=".pt of an earlier fit to start from")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    crops = np.load(args.faces / "crops.npy", mmap_mode="r")
    identity = np.load(args.faces / "identity.npy")
    held = (identity >= 0) & (identity % 20 == 0)
    net = RefinerNet()
    if args.weights:
        net.load_state_dict(torch.load(args.weights, weights_only=True)["net"])
    print(sum(p.numel() for p in net.parameters()), "parameters")
    rows = np.flatnonzero(~held)
    some = np.flatnonzero(held)[:: max(1, held.sum() // 384)]
    fit(net, crops, rows, some, args.steps, args.batch, args.lr, args.out.with_suffix(".pt"), args.spread)
    export(net, args.out)


if __name__ == "__main__":
    main()
