"""Vision Transformers of other libraries behind ``ViT.walk``, by attribute: nothing is imported or copied.

Accepted are timm's ``VisionTransformer`` and, from transformers 4 and 5, ``ViTModel``, ``CLIPVisionModel``
and ``Dinov2Model`` (with or without registers). An adapted network is made of copies of the model's own
modules in evaluation mode, which share its weights and their device. Class and register tokens become prefix
tokens, which no statistic of the patches sees.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from ..errors import UsageError
from ..types import CROP_SIZE
from .card import describe
from .config import ViTConfig
from .copies import evaluation_copy
from .foreign_parts import ForeignParts, Triple, refusal, take_apart
from .vit import ViT

TOLERANCE = 1e-3


def adapt(model: Any, *, mean: Sequence[float] | None = None, std: Sequence[float] | None = None) -> ViT:
    """Put a foreign Vision Transformer behind the interface of :class:`fiqa.network.vit.ViT`.

    The result takes the same crops as any other network, uint8 RGB (B, 112, 112, 3), and resamples them
    bilinearly to the model's own input size. Its final LayerNorm is the one that the model applies to its
    tokens: for CLIP ``post_layernorm``, for a timm model that pools first ``fc_norm``. It gives no embedding
    and has no exits; ``vit.card`` says where it comes from. Of ``vit.config``, stem, MLP and activation are
    nominal: the model's own modules run. They are compared with its own forward pass on one image.

    Args:
        model: one of those that the module names, in float32; it stays as it is. A fiqa ViT is returned
            unchanged. A Dinov2Model, which takes any size, is used at ``model.config.image_size``.
        mean, std: normalisation of RGB values in [0, 1], three numbers each. By default the model's own: of
            timm's ``pretrained_cfg`` (0.5 if there is none); for transformers 0.5 (ViT), CLIP's or ImageNet's
            (Dinov2).

    Raises:
        UsageError: ``model`` is of another kind, not in float32, or computes something else than a ViT.
    """
    if isinstance(model, ViT):
        if mean is not None or std is not None:
            raise UsageError("a fiqa ViT has its mean and std in its config: don't give them again")
        return model
    if not isinstance(model, nn.Module):
        raise refusal(model, "it is no torch module")
    model = evaluation_copy(model)
    parts = take_apart(model)
    return _assemble(model, parts, _triple("mean", mean, parts.mean), _triple("std", std, parts.std))


def _assemble(model: nn.Module, parts: ForeignParts, mean: Triple, std: Triple) -> ViT:
    weight = next(model.parameters())
    other = {str(p.dtype) for p in model.parameters() if p.dtype != torch.float32}
    if other:
        raise refusal(model, f"its weights are {', '.join(sorted(other))}, not float32: call .float() on it")
    width = parts.blocks[0].attn.qkv[0].in_features
    config = ViTConfig(
        width=width,
        depth=len(parts.blocks),
        heads=parts.heads,
        mlp_width=max(p.shape[0] for p in parts.blocks[0].mlp.parameters()),
        image_size=parts.image_size,
        patch_size=parts.patch_size,
        mean=mean,
        std=std,
    )
    with torch.device("meta"):  # the frame only: all that holds weights is replaced
        vit = ViT(config)
    vit.stem, vit.pos_embed, vit.n_prefix = parts.stem, None, parts.n_prefix
    vit.blocks, vit.norm = nn.ModuleList(parts.blocks), parts.norm
    vit.set_pixel_range(weight.device)
    vit.eval()
    kind = type(model).__name__
    card = replace(
        describe(vit, parts.name or kind),
        gflops=_compare(model, vit, parts.forward),
        source=parts.source,
        licence=parts.licence,
        notes=f"{kind}, adapted: {parts.image_size} pixels, mean {_text(mean)}, std {_text(std)}.",
    )
    vit.card = card
    return vit


@torch.no_grad()
def _compare(model: nn.Module, vit: ViT, forward: Callable[[Tensor], Tensor] | None) -> tuple[float, ...]:
    """Run one image, check it against the model's own pass, and return the GFLOPs up to each block.

    Attributes alone do not tell a plain ViT from one with, say, rotary positions or another residual order.
    """
    values = torch.arange(CROP_SIZE * CROP_SIZE * 3, device=vit.pixel_scale.device)
    crops = (values * 37 % 251).to(torch.uint8).reshape(1, CROP_SIZE, CROP_SIZE, 3)
    rows, columns = vit.grid
    tokens = vit.embed(vit.normalise(crops))
    if not isinstance(tokens, Tensor) or tokens.shape[1] != vit.n_prefix + rows * columns:
        raise refusal(model, f"its embeddings are not {vit.n_prefix} tokens and {rows}×{columns} patches")
    gflops = []
    with FlopCounterMode(display=False) as counter:
        # no fused kernel, whose products are not always counted
        for state in vit.walk(crops, attention=range(vit.depth)):
            tokens = state.tokens
            gflops.append(round(counter.get_total_flops() * 1e-9, 6))
    if forward is not None:
        expected = forward(vit.normalise(crops))
        error = min(_error(tokens, expected), _error(vit.norm(tokens), expected))
        if not error <= TOLERANCE:
            raise refusal(model, f"its own forward pass differs from a plain ViT's by {error:.1e}")
    return tuple(gflops)


def _error(got: Tensor, expected: Tensor) -> float:
    if got.shape != expected.shape:
        return float("inf")
    return float((got - expected).abs().max() / expected.abs().max())


def _triple(name: str, given: Sequence[float] | None, own: Triple | None) -> Triple:
    values = given if given is not None else own
    if values is None:
        raise UsageError(
            f"this model does not say its {name}: give {name}=(r, g, b), as its processor has it"
        )
    if len(values) != 3 or (name == "std" and min(values) <= 0):
        rule = " positive" if name == "std" else ""
        raise UsageError(f"{name} must be three{rule} numbers for RGB in [0, 1], but got {values}")
    red, green, blue = map(float, values)
    return red, green, blue


def _text(values: Triple) -> str:
    return "/".join(f"{value:g}" for value in values)
