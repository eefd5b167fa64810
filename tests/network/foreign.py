"""Foreign networks, small and random, and their literal walk."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fiqa.network import ViT
from reference.literal import LiteralViT, resize_bilinear

SMALL = {
    "hidden_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "patch_size": 8,
    "attn_implementation": "eager",
}


IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def build(kind: str, **changes: Any) -> Any:
    """A small transformers model of random weights, far enough from zero that attention is not uniform."""
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    settings = {**SMALL, **changes}
    if kind == "clip":
        config = transformers.CLIPVisionConfig(**{"image_size": 48, "intermediate_size": 40, **settings})
        model = transformers.CLIPVisionModel(config)
    elif kind == "vit":
        config = transformers.ViTConfig(**{"image_size": 48, "intermediate_size": 40, **settings})
        model = transformers.ViTModel(config)
    else:
        own = {"image_size": 56, "mlp_ratio": 2, "layerscale_value": 0.7, **settings}
        name = "Dinov2WithRegisters" if kind == "registers" else "Dinov2"
        own |= {"num_register_tokens": 3} if kind == "registers" else {}
        own |= {"use_swiglu_ffn": True} if kind == "swiglu" else {}
        model = getattr(transformers, f"{name}Model")(getattr(transformers, f"{name}Config")(**own))
    return randomise(model)


def randomise(model: nn.Module) -> nn.Module:
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            noise = torch.randn(tensor.shape, generator=generator)
            if name.endswith("weight") and tensor.dim() == 1:  # LayerNorm
                tensor.copy_(1 + 0.2 * noise)
            elif name.endswith("lambda1") or ".ls" in name:
                tensor.mul_(1 + 0.2 * noise)
            elif name.endswith("bias") or tensor.dim() == 1:
                tensor.copy_(0.2 * noise)
            elif "embedding" in name or "token" in name or "pos_embed" in name:
                tensor.copy_(noise * (0.5 if tensor.dim() != 4 else tensor[0].numel() ** -0.5))
            else:
                tensor.copy_(1.5 * noise * tensor[0].numel() ** -0.5)
    return model.eval()


class Foreign(LiteralViT):
    """The literal methods on states that somebody else computed."""

    def __init__(self, n_prefix: int, norm: nn.Module) -> None:
        self.n_prefix = n_prefix
        self.norm = norm

    def final_norm(self, tokens: np.ndarray) -> np.ndarray:
        variance = tokens.var(axis=-1, keepdims=True)
        weight, bias = (p.detach().double().numpy() for p in (self.norm.weight, self.norm.bias))
        return (tokens - tokens.mean(axis=-1, keepdims=True)) / np.sqrt(
            variance + self.norm.eps
        ) * weight + bias


def double(tensor: Tensor) -> np.ndarray:
    return tensor.detach().double().numpy()


def prepared(vit: ViT, crops: np.ndarray, mean: Any, std: Any) -> Tensor:
    """The network's input (B, 3, S, S), after a comparison with the formula.

    The looser comparison is this one: torch keeps the positions between pixels in float32, which costs noise
    some 1e-5 already. What follows from the same input is compared more closely.
    """
    images = vit.normalise(torch.from_numpy(crops))
    expected = resize_bilinear((crops / 255 - np.array(mean)) / np.array(std), images.shape[-1])
    np.testing.assert_allclose(images, expected.transpose(0, 3, 1, 2), atol=2e-4)
    return images


class Scale(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((width,), 0.5))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma


class StandInAttention(nn.Module):
    def __init__(self, width: int, heads: int, *, qk_norm: bool, scale_norm: bool) -> None:
        super().__init__()
        self.num_heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.q_norm = nn.LayerNorm(width // heads) if qk_norm else nn.Identity()
        self.k_norm = nn.LayerNorm(width // heads) if qk_norm else nn.Identity()
        self.attn_drop = nn.Dropout(0.1)
        self.norm = nn.LayerNorm(width) if scale_norm else nn.Identity()
        self.proj = nn.Linear(width, width)
        self.proj_drop = nn.Dropout(0.1)
        self.seen: dict[str, Tensor] = {}

    def forward(self, x: Tensor) -> Tensor:
        width = x.shape[-1]
        size = width // self.num_heads
        q, k, v = (self.qkv(x)[..., i * width : (i + 1) * width] for i in range(3))
        mixed, queries, keys, attentions = [], [], [], []
        for h in range(self.num_heads):  # head by head
            here = slice(h * size, (h + 1) * size)
            queries.append(self.q_norm(q[..., here]))
            keys.append(self.k_norm(k[..., here]))
            attentions.append(torch.softmax(queries[h] @ keys[h].mT / size**0.5, dim=-1))
            mixed.append(self.attn_drop(attentions[h]) @ v[..., here])
        self.seen = {"q": torch.stack(queries, 1), "k": torch.stack(keys, 1), "a": torch.stack(attentions, 1)}
        return self.proj_drop(self.proj(self.norm(torch.cat(mixed, dim=-1))))


class StandInBlock(nn.Module):
    def __init__(self, width: int, heads: int, *, scaled: bool, **attention: bool) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = StandInAttention(width, heads, **attention)
        self.ls1 = Scale(width) if scaled else nn.Identity()
        self.drop_path1 = nn.Dropout(0.1)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.Sequential(nn.Linear(width, 40), nn.SiLU(), nn.Linear(40, width))
        self.ls2 = Scale(width) if scaled else nn.Identity()
        self.drop_path2 = nn.Dropout(0.1)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.drop_path1(self.ls1(self.attn(self.norm1(x))))
        return x + self.drop_path2(self.ls2(self.mlp(self.norm2(x))))


class StandInPatches(nn.Module):
    def __init__(self, side: int, patch: int, width: int) -> None:
        super().__init__()
        self.img_size, self.patch_size = (side, side), (patch, patch)
        self.grid_size = (side // patch, side // patch)
        self.proj = nn.Conv2d(3, width, patch, patch)

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(x).flatten(2).transpose(1, 2)


class StandIn(nn.Module):
    """A small module with the attributes and the forward pass of timm's VisionTransformer."""

    def __init__(
        self,
        *,
        class_token: bool = True,
        registers: int = 0,
        no_embed_class: bool = False,
        global_pool: str = "token",
        pre_norm: bool = False,
        scaled: bool = False,
        qk_norm: bool = False,
        scale_norm: bool = False,
        side: int = 48,
    ) -> None:
        super().__init__()
        width, heads, patch, depth = 24, 4, 8, 3
        self.global_pool, self.no_embed_class = global_pool, no_embed_class
        self.num_prefix_tokens = int(class_token) + registers
        self.patch_embed = StandInPatches(side, patch, width)
        n = (side // patch) ** 2 + (0 if no_embed_class else self.num_prefix_tokens)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width)) if class_token else None
        self.reg_token = nn.Parameter(torch.zeros(1, registers, width)) if registers else None
        self.pos_embed = nn.Parameter(torch.zeros(1, n, width))
        self.pos_drop = nn.Dropout(0.1)
        self.patch_drop = nn.Identity()
        self.norm_pre = nn.LayerNorm(width) if pre_norm else nn.Identity()
        kinds = {"scaled": scaled, "qk_norm": qk_norm, "scale_norm": scale_norm}
        self.blocks = nn.Sequential(*(StandInBlock(width, heads, **kinds) for _ in range(depth)))
        pools = global_pool == "avg"
        self.norm = nn.Identity() if pools else nn.LayerNorm(width, eps=1e-6)
        self.fc_norm = nn.LayerNorm(width, eps=1e-6) if pools else nn.Identity()
        self.head = nn.Linear(width, 7)
        randomise(self)

    def _pos_embed(self, x: Tensor) -> Tensor:
        extra = [t.expand(x.shape[0], -1, -1) for t in (self.cls_token, self.reg_token) if t is not None]
        if self.no_embed_class:
            return self.pos_drop(torch.cat([*extra, x + self.pos_embed], dim=1))
        return self.pos_drop(torch.cat([*extra, x], dim=1) + self.pos_embed)

    def forward_features(self, x: Tensor) -> Tensor:
        x = self.norm_pre(self.patch_drop(self._pos_embed(self.patch_embed(x))))
        return self.norm(self.blocks(x))
