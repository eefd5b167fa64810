"""Augmentation of face crops as batched tensor operations: the same code on CPU and GPU.

A view is a small similarity warp (with mirroring), a change of colour and light, and, for a share of the
views, one or two of the degradation families of `fiqa.degradations` at a random severity. The
families are re-implemented on tensors here because training needs thousands a second on the accelerator;
`tests/training` checks that the two agree.

Images are float32 RGB in [0, 1], (B, 3, S, S). Everything random comes from the ``torch.Generator`` given.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

KINDS = ("blur", "downsample", "noise", "jpeg", "dark", "overexposed", "occlusion", "motion")


@dataclass(frozen=True)
class AugmentConfig:
    """Strength of each part; ``ramp`` in `augment` scales them all."""

    rotate: float = 8.0  # degrees, standard deviation is half of it
    zoom: float = 0.08
    shift: float = 5.0  # pixels of 112
    light: float = 0.25
    colour: float = 0.25
    grey: float = 0.05
    degraded: float = 0.35  # share of views that get a degradation
    twice: float = 0.2  # share of those that get a second one
    power: float = 1.0  # severity = uniform ** power
    local: float = 0.2  # share of views of which only a rectangle is degraded, so that maps learn where


def uniform(n: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    device = generator.device
    return torch.rand(n, generator=generator, device=device) * (high - low) + low


def warp(images: Tensor, config: AugmentConfig, generator: torch.Generator, ramp: float = 1.0) -> Tensor:
    """Random mirror, rotation, zoom and shift, bilinear, border repeated."""
    b, _, side, _ = images.shape
    angle = uniform(b, -1, 1, generator) * math.radians(config.rotate) * ramp
    zoom = torch.exp(uniform(b, -1, 1, generator) * config.zoom * ramp)
    mirror = torch.where(uniform(b, 0, 1, generator) < 0.5, -1.0, 1.0)
    shift = uniform(2 * b, -1, 1, generator).view(b, 2) * (2 * config.shift / side * ramp)
    cos, sin = torch.cos(angle) * zoom, torch.sin(angle) * zoom
    theta = torch.stack([cos * mirror, -sin, shift[:, 0], sin * mirror, cos, shift[:, 1]], 1).view(b, 2, 3)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, "bilinear", "border", align_corners=False)


def recolour(images: Tensor, config: AugmentConfig, generator: torch.Generator, ramp: float = 1.0) -> Tensor:
    """Random gain, offset, contrast and saturation; a few views become grey."""
    b = images.shape[0]
    gain = torch.exp(uniform(b, -1, 1, generator) * config.light * ramp).view(b, 1, 1, 1)
    contrast = torch.exp(uniform(b, -1, 1, generator) * config.light * ramp).view(b, 1, 1, 1)
    saturation = 1 + uniform(b, -1, 1, generator) * config.colour * ramp
    saturation = torch.where(uniform(b, 0, 1, generator) < config.grey, 0.0, saturation).view(b, 1, 1, 1)
    tint = 1 + (uniform(3 * b, -1, 1, generator) * 0.2 * config.colour * ramp).view(b, 3, 1, 1)
    mean = images.mean((1, 2, 3), keepdim=True)
    out = ((images - mean) * contrast + mean) * gain * tint
    luma = out.mean(1, keepdim=True)
    return ((out - luma) * saturation + luma).clamp(0, 1)


def _filtered(images: Tensor, transfer: Tensor, margin: int) -> Tensor:
    padded = F.pad(images, (margin,) * 4, mode="replicate")
    size = padded.shape[-2:]
    out = torch.fft.irfft2(torch.fft.rfft2(padded) * transfer[:, None], s=size)
    return out[..., margin:-margin, margin:-margin]


def _frequencies(side: int, device: torch.device) -> tuple[Tensor, Tensor]:
    return torch.fft.fftfreq(side, device=device)[:, None], torch.fft.rfftfreq(side, device=device)[None]


def _blur(x: Tensor, s: Tensor, g: torch.Generator) -> Tensor:
    margin = 16
    fy, fx = _frequencies(x.shape[-1] + 2 * margin, x.device)
    sigma = (s * x.shape[-1] / 20).view(-1, 1, 1)
    return _filtered(x, torch.exp(-2 * (math.pi * sigma) ** 2 * (fy**2 + fx**2)), margin).clamp(0, 1)


def _motion(x: Tensor, s: Tensor, g: torch.Generator) -> Tensor:
    margin = 16
    fy, fx = _frequencies(x.shape[-1] + 2 * margin, x.device)
    angle = uniform(len(s), 0, math.pi, g).view(-1, 1, 1)
    length = (s * x.shape[-1] / 4).view(-1, 1, 1)
    return _filtered(x, torch.sinc(length * (fy * angle.sin() + fx * angle.cos())), margin).clamp(0, 1)


def _downsample(x: Tensor, s: Tensor, g: torch.Generator) -> Tensor:
    side = x.shape[-1]
    sizes = (side / 10.0**s).round().clamp(min=2).long().tolist()
    out = torch.empty_like(x)
    for i, size in enumerate(sizes):  # every view has its own size, so there is no batch to be had
        small = F.interpolate(x[i : i + 1], (size, size), mode="bicubic", antialias=True)
        out[i : i + 1] = F.interpolate(small.clamp(0, 1), (side, side), mode="bicubic")
    return out.clamp(0, 1)


def _noise(x: Tensor, s: Tensor, g: torch.Generator) -> Tensor:
    field = torch.randn(x.shape, generator=g, device=x.device)
    return (x + field * (s.view(-1, 1, 1, 1) * (80 / 255))).clamp(0, 1)


_LUMA = torch.tensor(
    [
        [16.0, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)
_CHROMA = torch.full((8, 8), 99.0)
_CHROMA[:4, :4] = torch.tensor([[17.0, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]])
_TO_YCC = torch.tensor([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
_TO_RGB = torch.linalg.inv(_TO_YCC)


def _dct() -> Tensor:
    k, n = torch.arange(8.0)[:, None], torch.arange(8.0)[None]
    basis = torch.cos(math.pi * (2 * n + 1) * k / 16) / 2
    basis[0] /= math.sqrt(2)
    return basis


_DCT = _dct()


def _quantised(plane: Tensor, table: Tensor) -> Tensor:
    """(B, C, H, W) in grey levels around 0, table (B, 8, 8) → the plane after JPEG's rounding."""
    b, c, h, w = plane.shape
    blocks = plane.view(b, c, h // 8, 8, w // 8, 8).transpose(3, 4)
    basis = _DCT.to(plane.device)
    table = table.view(b, 1, 1, 1, 8, 8)
    coefficients = torch.round(basis @ blocks @ basis.T / table) * table
    return (basis.T @ coefficients @ basis).transpose(3, 4).reshape(b, c, h, w)


def _jpeg(x: Tensor, s: Tensor, g: torch.Generator) -> Tensor:
    quality = (60 * (2 / 60) ** s).round().clamp(min=2)
    scale = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality).view(-1, 1, 1) / 100
    luma = (_LUMA.to(x.device) * scale).round().clamp(1, 255)
    chroma = (_CHROMA.to(x.device) * scale).round().clamp(1, 255)
    ycc = torch.einsum("ij,bjhw->bihw", _TO_YCC.to(x.device), x * 255)
    y = _quantised(ycc[:, :1] - 128, luma) + 128
    c = F.interpolate(_quantised(F.avg_pool2d(ycc[:, 1:], 2), chroma), scale_factor=2.0, mode="bilinear")
    return (torch.einsum("ij,bjhw->bihw", _TO_RGB.to(x.device), torch.cat([y, c], 1)) / 255).clamp(0, 1)


def _dark(x: Tensor, s: Tensor, g: torch.Generator) -> Tensor:
    field = torch.randn(x.shape, generator=g, device=x.device)
    s = s.view(-1, 1, 1, 1)
    return (x * 0.03**s + field * (s * (3 / 255))).clamp(0, 1)


def _overexposed(x: Tensor, s: Tensor, g: torch.Generator) -> Tensor:
    s = s.view(-1, 1, 1, 1)
    return (x * (1 + 3 * s) + s * (60 / 255)).clamp(0, 1)


def _occlusion(x: Tensor, s: Tensor, g: torch.Generator) -> Tensor:
    b, _, height, width = x.shape
    aspect = torch.exp(uniform(b, -0.3, 0.3, g))
    share = torch.sqrt(0.6 * s)
    h, w = (share * aspect).clamp(max=1) * height, (share / aspect).clamp(max=1) * width
    top, left = uniform(b, 0, 1, g) * (height - h), uniform(b, 0, 1, g) * (width - w)
    rows = torch.arange(height, device=x.device)[None] + 0.5
    columns = torch.arange(width, device=x.device)[None] + 0.5
    inside = ((rows > top[:, None]) & (rows < (top + h)[:, None]))[:, None, :, None] & (
        (columns > left[:, None]) & (columns < (left + w)[:, None])
    )[:, None, None, :]
    return torch.where(inside, uniform(3 * b, 0, 1, g).view(b, 3, 1, 1), x)


_FAMILIES = dict(
    zip(KINDS, (_blur, _downsample, _noise, _jpeg, _dark, _overexposed, _occlusion, _motion), strict=True)
)


def degrade(images: Tensor, kind: str, severity: Tensor, generator: torch.Generator) -> Tensor:
    """One family on a batch: images (B, 3, S, S) in [0, 1], severity (B,) in [0, 1]."""
    return _FAMILIES[kind](images, severity, generator)


def degrade_some(
    images: Tensor, config: AugmentConfig, generator: torch.Generator, ramp: float = 1.0
) -> tuple[Tensor, Tensor]:
    """A share of the views get a degradation, some of them a second one.

    Returns:
        The images and the severity (B,) of the stronger degradation, 0 for none.
    """
    b = images.shape[0]
    images = images.clone()
    total = torch.zeros(b, device=images.device)
    share = config.degraded * ramp
    for chance in (share, share * config.twice):
        chosen = uniform(b, 0, 1, generator) < chance
        kinds = torch.randint(0, len(KINDS), (b,), generator=generator, device=images.device)
        severity = uniform(b, 0, 1, generator) ** config.power
        for k, kind in enumerate(KINDS):
            index = (chosen & (kinds == k)).nonzero()[:, 0]
            if len(index):
                images[index] = degrade(images[index], kind, severity[index], generator)
        total = torch.maximum(total, torch.where(chosen, severity, 0.0))
    return images, total


def degrade_part(images: Tensor, config: AugmentConfig, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """A share of the views are spoilt inside one rectangle, of 10 to 50 % of the image, and only there.

    Returns:
        The images, and (B, S, S) with 1 inside the rectangle and 0 elsewhere.
    """
    b, _, side, _ = images.shape
    device = images.device
    chosen = uniform(b, 0, 1, generator) < config.local
    area, aspect = uniform(b, 0.1, 0.5, generator), torch.exp(uniform(b, -0.4, 0.4, generator))
    height, width = (area * aspect).sqrt().clamp(max=1), (area / aspect).sqrt().clamp(max=1)
    top, left = uniform(b, 0, 1, generator) * (1 - height), uniform(b, 0, 1, generator) * (1 - width)
    at = (torch.arange(side, device=device)[None] + 0.5) / side
    rows = (at >= top[:, None]) & (at < (top + height)[:, None])
    columns = (at >= left[:, None]) & (at < (left + width)[:, None])
    inside = (rows[:, :, None] & columns[:, None, :] & chosen[:, None, None]).float()
    kinds = torch.randint(0, len(KINDS), (b,), generator=generator, device=device)
    flat = uniform(3 * b, 0, 1, generator).view(b, 3, 1, 1).expand_as(images)
    severity = uniform(b, 0.6, 1, generator)
    spoilt = images.clone()
    for k, kind in enumerate(KINDS):
        index = (chosen & (kinds == k)).nonzero()[:, 0]
        if len(index):
            part = images[index]
            spoilt[index] = (
                flat[index] if kind == "occlusion" else degrade(part, kind, severity[index], generator)
            )
    return torch.lerp(images, spoilt, inside[:, None]), inside


def to_float(crops: Tensor) -> Tensor:
    """uint8 (B, S, S, 3) → float32 (B, 3, S, S) in [0, 1]."""
    return crops.permute(0, 3, 1, 2).float() / 255


def to_uint8(images: Tensor) -> Tensor:
    """float32 (B, 3, S, S) in [0, 1] → uint8 (B, S, S, 3)."""
    return (images * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def augment(
    crops: Tensor, config: AugmentConfig, generator: torch.Generator, ramp: float = 1.0
) -> tuple[Tensor, Tensor]:
    """All of it: uint8 crops (B, S, S, 3) → uint8 views of the same shape, and their severity (B,)."""
    views = recolour(warp(to_float(crops), config, generator, ramp), config, generator, ramp)
    views, severity = degrade_some(views, config, generator, ramp)
    return to_uint8(views), severity
