"""The Vision Transformer, in one file: a config, the parts, and ``walk``, which yields block by block.

One network covers every layout that the library loads: patch, convolutional or ConvNeXt stem; no, one or
several prefix tokens; flattened or mean-pooled recognition head; quality from a token or from the embedding.
Adapters (``fiqa.network.adapters``) put foreign transformers behind the same ``walk``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import UsageError
from ..types import ModelCard
from .config import ViTConfig
from .quality import QualityHead, QualityHeads, quality_features, quality_head
from .stems import ConvNeXtStem, ConvStem, PatchStem


class Attention(nn.Module):
    """The weights of multi-head self-attention; BlockState does the arithmetic."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.qkv = nn.Linear(config.width, 3 * config.width, bias=config.qkv_bias)
        self.proj = nn.Linear(config.width, config.width)

    def split(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, T, D) → queries, keys, values, each (B, H, T, d)."""
        b, t, _ = x.shape
        q, k, v = self.qkv(x).reshape(b, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
        return q, k, v


class MLP(nn.Module):
    """Linear → activation → Linear."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.fc1 = nn.Linear(config.width, config.mlp_width)
        self.act = nn.ReLU6() if config.activation == "relu6" else nn.GELU()
        self.fc2 = nn.Linear(config.mlp_width, config.width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.act(self.fc1(x)))


class Block(nn.Module):
    """A pre-norm transformer block. ``scale1`` and ``scale2`` are LayerScale in foreign models."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(config.width, eps=config.norm_eps)
        self.attn: nn.Module = Attention(config)
        self.scale1: nn.Module = nn.Identity()
        self.norm2 = nn.LayerNorm(config.width, eps=config.norm_eps)
        self.mlp: nn.Module = MLP(config)
        self.scale2: nn.Module = nn.Identity()

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, T, D) → (B, T, D)."""
        return BlockState(self, 0, tokens, 0).tokens


class BlockState:
    """One block on one batch, evaluated as far as it is asked for.

    Reading ``keys`` computes the projections only; reading ``tokens`` finishes the block. So whoever needs no
    more than the attention logits of the last block pays for no more. What a value is does not depend on the
    order in which they are read.

    Attributes:
        index: 0-based number of the block.
        n_prefix: number of tokens that are not patches; they come first.
        keeps_attention: whether ``tokens`` are mixed by the very matrix of ``attention``; else by a fused
            kernel, which is faster and keeps no matrix.
    """

    def __init__(
        self, block: Any, index: int, tokens_in: Tensor, n_prefix: int, *, keeps_attention: bool = False
    ) -> None:
        self.block = block
        self.index = index
        self.n_prefix = n_prefix
        self.keeps_attention = keeps_attention
        self._tokens_in = tokens_in

    @property
    def device(self) -> str:
        """The kind of device that it runs on, as torch.autocast wants it."""
        return self._tokens_in.device.type

    @cached_property
    def _qkv(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.block.attn.split(self.block.norm1(self._tokens_in))

    @property
    def queries(self) -> Tensor:
        """(B, H, T, d), prefix tokens first."""
        return self._qkv[0]

    @property
    def keys(self) -> Tensor:
        """(B, H, T, d), prefix tokens first."""
        return self._qkv[1]

    @cached_property
    def attention(self) -> Tensor:
        """Post-softmax attention (B, H, T queries, T keys)."""
        scaled = self.queries * (self.queries.shape[-1] ** -0.5)
        return (scaled @ self.keys.transpose(-2, -1)).softmax(dim=-1)

    @cached_property
    def tokens(self) -> Tensor:
        """(B, T, D) after the block."""
        values = self._qkv[2]
        if self.keeps_attention or torch.onnx.is_in_onnx_export():
            mixed = self.attention @ values
        else:
            mixed = F.scaled_dot_product_attention(self.queries, self.keys, values)
        mixed = mixed.transpose(1, 2).flatten(2)  # (B, T, D)
        x = self._tokens_in + self.block.scale1(self.block.attn.proj(mixed))
        return x + self.block.scale2(self.block.mlp(self.block.norm2(x)))

    @property
    def patches(self) -> Tensor:
        """(B, N, D): the tokens without the prefix."""
        return self.tokens[:, self.n_prefix :]


class FlattenHead(nn.Module):
    """Recognition head of the face ViTs: Linear(T·D → D) → BN → Linear(D → E) → BN. Affine when evaluated."""

    def __init__(self, n_tokens: int, config: ViTConfig) -> None:
        super().__init__()
        self.reduce = nn.Linear(n_tokens * config.width, config.width, bias=False)
        self.norm1 = nn.BatchNorm1d(config.width, eps=config.head_eps)
        self.project = nn.Linear(config.width, config.embedding, bias=False)
        self.norm2 = nn.BatchNorm1d(config.embedding, eps=config.head_eps)

    def forward(self, normed: Tensor) -> Tensor:
        """(B, T, D) tokens after the final LayerNorm → (B, E)."""
        return self.norm2(self.project(self.norm1(self.reduce(normed.flatten(1)))))


class MeanHead(nn.Module):
    """Recognition head of the embedded model: mean over tokens → Linear → BN."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.project = nn.Linear(config.width, config.embedding, bias=False)
        self.norm = nn.BatchNorm1d(config.embedding)

    def forward(self, normed: Tensor) -> Tensor:
        """(B, T, D) tokens after the final LayerNorm → (B, E)."""
        return self.norm(self.project(normed.mean(dim=1)))


class ViT(nn.Module):
    """A Vision Transformer for face crops, to be walked block by block.

    >>> import torch
    >>> vit = ViT(ViTConfig(width=32, depth=3, heads=4, mlp_width=64)).eval()
    >>> with torch.inference_mode():
    ...     for state in vit.walk(torch.zeros(2, 112, 112, 3, dtype=torch.uint8)):
    ...         if state.index == 1:
    ...             print(tuple(state.patches.shape))
    ...             break  # an early exit: the third block never runs
    (2, 196, 32)
    """

    pixel_scale: Tensor
    pixel_shift: Tensor
    exit_weight: Tensor | None
    exit_bias: Tensor | None

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.config = config
        self.card: ModelCard | None = None  # set by whoever knows where the weights come from
        self.grid = config.grid
        self.n_prefix = config.n_prefix
        stems = {"patch": PatchStem, "conv": ConvStem, "convnext": ConvNeXtStem}
        self.stem: nn.Module = stems[config.stem](config)
        self.pos_embed: nn.Parameter | None = nn.Parameter(
            torch.zeros(1, config.n_prefix + config.n_patches, config.width)
        )
        self.quality_token = nn.Parameter(torch.zeros(1, 1, config.width)) if config.quality_token else None
        self.blocks: Any = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.norm: nn.Module = nn.LayerNorm(config.width, eps=config.norm_eps)
        self.head: nn.Module | None = None
        if config.head == "flatten":
            n_tokens = config.n_patches + (config.n_prefix if config.head_sees_prefix else 0)
            self.head = FlattenHead(n_tokens, config)
        elif config.head == "mean":
            self.head = MeanHead(config)
        self.quality_head: QualityHead | QualityHeads | None = quality_head(config)
        self.register_buffer("exit_weight", None, persistent=False)  # filled by fold
        self.register_buffer("exit_bias", None, persistent=False)
        self.register_buffer("pixel_scale", None, persistent=False)
        self.register_buffer("pixel_shift", None, persistent=False)
        self.set_pixel_range()
        self._initialise()

    def set_pixel_range(self, device: torch.device | None = None) -> None:
        """Fill the normalisation buffers from the config (again, after a construction on ``meta``)."""
        mean = torch.tensor(self.config.mean, device=device)
        std = torch.tensor(self.config.std, device=device)
        self.pixel_scale, self.pixel_shift = 1 / (255 * std), -mean / std

    def _initialise(self) -> None:
        # Truncated-normal 0.02 and residual projections scaled down by (2L)^-1/2: what lets a small ViT start
        # to learn from few images. Loading a checkpoint overwrites all of it.
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for parameter in (self.pos_embed, self.quality_token):
            if parameter is not None:
                nn.init.trunc_normal_(parameter, std=0.02)
        for block in self.blocks:
            for layer in (block.attn.proj, block.mlp.fc2):
                layer.weight.data.mul_((2 * len(self.blocks)) ** -0.5)

    @property
    def depth(self) -> int:
        """L, the number of blocks."""
        return len(self.blocks)

    @property
    def has_exits(self) -> bool:
        """Whether the network regresses a quality (ViT-FIQA), so that every block is an exit."""
        return self.quality_head is not None or self.exit_weight is not None

    def normalise(self, crops: Tensor) -> Tensor:
        """uint8 RGB (B, H, W, 3) → float (B, 3, S, S), the network's own input."""
        images = (crops.to(self.pixel_scale.dtype) * self.pixel_scale + self.pixel_shift).permute(0, 3, 1, 2)
        if images.shape[-2:] != (self.config.image_size,) * 2:
            size = (self.config.image_size,) * 2
            images = F.interpolate(images, size=size, mode="bilinear", align_corners=False)
        return images

    def embed(self, images: Tensor) -> Tensor:
        """Normalised images (B, 3, S, S) → tokens (B, T, D) with their positions, prefix first."""
        tokens = self.stem(images)
        if self.quality_token is not None:
            tokens = torch.cat([self.quality_token.expand(tokens.shape[0], -1, -1), tokens], dim=1)
        return tokens if self.pos_embed is None else tokens + self.pos_embed

    def walk(self, crops: Tensor, attention: Collection[int] = ()) -> Iterator[BlockState]:
        """Yield the state of every block in turn.

        At most two token tensors are alive at a time. ``break`` is an early exit; a state whose ``tokens``
        were never read has not run its softmax, value product or MLP.

        Args:
            crops: uint8 RGB (B, 112, 112, 3).
            attention: numbers of the blocks, from 0, whose matrix of attention will be read, so that it is
                computed once; the others run a fused kernel.
        """
        tokens = self.embed(self.normalise(crops))
        for index, block in enumerate(self.blocks):
            state = BlockState(block, index, tokens, self.n_prefix, keeps_attention=index in attention)
            yield state
            tokens = state.tokens

    def embedding(self, normed: Tensor) -> Tensor:
        """Tokens (B, T, D) after the final LayerNorm → recognition embedding (B, E), not normalised."""
        if self.head is None:
            raise UsageError("this network has no recognition head, so it gives no embedding")
        return self.head(normed if self.config.head_sees_prefix else normed[:, self.n_prefix :])

    def exit_score(self, normed: Tensor, number: int | None = None, before: Tensor | None = None) -> Tensor:
        """Tokens (B, T, D) of any block after the final LayerNorm → raw quality (B,), higher = better.

        Args:
            normed: the tokens.
            number: the exit, the block counted from 1; exits that have heads of their own need it.
            before: (B,) score of the exit before, where exits add up.
        """
        if self.exit_weight is not None and self.exit_bias is not None:
            tokens = normed if self.config.head_sees_prefix else normed[:, self.n_prefix :]
            return (tokens * self.exit_weight).sum(dim=(1, 2)) + self.exit_bias
        if self.quality_head is None:
            raise UsageError("this network regresses no quality, so it has no exits")
        if self.config.quality == "embedding":
            return self.quality_head(self.embedding(normed))
        features = quality_features(normed, self.n_prefix, self.config.quality_features)
        if not isinstance(self.quality_head, QualityHeads):
            return self.quality_head(features)
        if number is None:
            raise UsageError("every exit of this network has its own head: say which exit, from 1")
        own = self.quality_head(features, number)
        if self.config.quality_exits == "own" or number == 1:
            return own
        if before is None:
            raise UsageError(f"the exits of this network add up: exit {number} needs the score before it")
        return before + own

    @torch.no_grad()
    def fold(self, *, keep_head: bool = True) -> ViT:
        """Collapse a quality that is read from the embedding into one vector of T·D weights, exactly.

        In evaluation mode head and quality head are affine one after the other: Linear → BN → Linear → BN →
        BN → Linear. Their product takes T·D multiply-adds an exit in place of T·D·D. Call it when the weights
        are final. With ``keep_head=False`` the recognition head is dropped afterwards, unless the quality is
        read from a mean-pooled embedding, which is cheap as it is and not folded.
        """
        head, quality = self.head, self.quality_head
        if (
            self.config.quality == "embedding"
            and isinstance(head, FlattenHead)
            and isinstance(quality, QualityHead)
        ):
            row, bias = quality.project.weight.double()[0], torch.zeros((), dtype=torch.float64)
            stages = ((quality.norm, None), (head.norm2, head.project), (head.norm1, head.reduce))
            for norm, linear in stages:  # from the score back to the tokens
                scale, shift = _affine(norm)
                bias, row = bias + row @ shift, row * scale
                if linear is not None:
                    # float64 in slices: a float64 copy of a 512 × 100,352 matrix would be 400 MB
                    row = torch.cat([row @ part.double() for part in torch.split(linear.weight, 8192, dim=1)])
            self.exit_weight = row.float().reshape(-1, self.config.width)
            self.exit_bias = bias.float()
        if not keep_head and not (self.config.quality == "embedding" and self.exit_weight is None):
            self.head = None
            if self.config.quality == "embedding":
                self.quality_head = None
        return self


def _affine(norm: nn.BatchNorm1d) -> tuple[Tensor, Tensor]:
    """A BatchNorm in evaluation mode as y = scale · x + shift, in float64."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    return scale, norm.bias.double() - norm.running_mean.double() * scale
