"""The four stems: normalised images (B, 3, S, S) in, patch tokens (B, N, D) out."""

from __future__ import annotations

import itertools

import torch.nn.functional as F
from torch import Tensor, nn

from .config import ViTConfig


class PatchStem(nn.Module):
    """(B, 3, S, S) → (B, N, D) by one convolution whose stride is its kernel."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, config.width, config.patch_size, config.patch_size)

    def forward(self, images: Tensor) -> Tensor:
        return self.proj(images).flatten(2).transpose(1, 2)  # row-major: patch = row · columns + column


class ConvStem(nn.Module):
    """(B, 3, S, S) → (B, N, D): three stride-2 3×3 convolutions with BatchNorm and GELU, then 1×1."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        channels = (3, 16, 32, 64)
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(channels):
            layers += [nn.Conv2d(before, after, 3, 2, 1, bias=False), nn.BatchNorm2d(after), nn.GELU()]
        self.layers = nn.Sequential(*layers, nn.Conv2d(channels[-1], config.width, 1))

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images).flatten(2).transpose(1, 2)


class ChannelNorm(nn.LayerNorm):
    """LayerNorm over the channels of (B, C, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ConvNeXtBlock(nn.Module):
    """x + MLP(LN(depthwise convolution of x)) on (B, C, H, W); LayerScale is folded into ``fc2``."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.dw = nn.Conv2d(width, width, kernel, padding=kernel // 2, groups=width)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.dw(x).permute(0, 2, 3, 1))
        return x + self.fc2(F.gelu(self.fc1(y))).permute(0, 3, 1, 2)


class ConvNeXtStem(nn.Module):
    """(B, 3, 112, 112) → (B, N, D): ConvNeXt stages, projected at the resolution of the second one.

    A third stage, at half that resolution, is projected too, repeated 2×2 and added.
    """

    conv0: nn.Conv2d
    conv1: nn.Conv2d
    conv2: nn.Conv2d
    norm1: ChannelNorm
    norm2: ChannelNorm
    stage0: nn.Sequential
    stage1: nn.Sequential
    stage2: nn.Sequential

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        widths, depths, kernels = config.stem_widths, config.stem_depths, config.stem_kernels
        before = 3
        for i, (width, depth, kernel) in enumerate(zip(widths, depths, kernels, strict=True)):
            stride = 4 if i == 0 else 2
            if i:
                self.add_module(f"norm{i}", ChannelNorm(before, eps=1e-6))
            self.add_module(f"conv{i}", nn.Conv2d(before, width, stride, stride))
            if not i:
                self.norm0 = ChannelNorm(width, eps=1e-6)
            self.add_module(f"stage{i}", nn.Sequential(*(ConvNeXtBlock(width, kernel) for _ in range(depth))))
            before = width
        self.proj = nn.Conv2d(widths[1], config.width, 1)
        self.proj2 = nn.Conv2d(widths[2], config.width, 1) if len(widths) == 3 else None

    def forward(self, images: Tensor) -> Tensor:
        x = self.stage0(self.norm0(self.conv0(images)))
        x = self.stage1(self.conv1(self.norm1(x)))
        cells = self.proj(x)
        if self.proj2 is not None:
            coarse = self.proj2(self.stage2(self.conv2(self.norm2(x))))
            cells = cells + F.interpolate(coarse, scale_factor=2.0, mode="nearest")
        return cells.flatten(2).transpose(1, 2)
