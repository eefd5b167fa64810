"""The network and the three methods as their papers print them: float64 NumPy, slow, nothing simplified.

Written from the equations alone, so that it shares no line and no shortcut with the library: every N × N
attention matrix is formed, every exit runs the whole recognition head, every patch has its loop.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray
_erf = np.vectorize(math.erf, otypes=[float])


@dataclass
class LiteralBlock:
    """What one block computed: queries, keys (B, H, T, d); attention (B, H, T, T); tokens (B, T, D)."""

    queries: Array
    keys: Array
    attention: Array
    tokens: Array


class LiteralViT:
    """Runs a network's weights (``state``: key → array) under a config, without its code."""

    def __init__(self, vit: Any) -> None:
        self.config = vit.config
        self.w = {key: tensor.double().numpy() for key, tensor in vit.state_dict().items()}
        self.n_prefix = 1 if "quality_token" in self.w else 0

    # ---------------------------------------------------------------- layers

    def _linear(self, x: Array, key: str) -> Array:
        y = x @ self.w[f"{key}.weight"].T
        return y + self.w[f"{key}.bias"] if f"{key}.bias" in self.w else y

    def _layer_norm(self, x: Array, key: str, eps: float) -> Array:
        centred = x - x.mean(-1, keepdims=True)
        variance = (centred**2).mean(-1, keepdims=True)
        return centred / np.sqrt(variance + eps) * self.w[f"{key}.weight"] + self.w[f"{key}.bias"]

    def _batch_norm(self, x: Array, key: str, eps: float) -> Array:
        mean, variance = self.w[f"{key}.running_mean"], self.w[f"{key}.running_var"]
        return (x - mean) / np.sqrt(variance + eps) * self.w[f"{key}.weight"] + self.w[f"{key}.bias"]

    def _conv(self, x: Array, key: str, stride: int, padding: int) -> Array:
        """(B, H, W, C) → (B, H', W', C'), cross-correlation, the kernel's own cells one after the other."""
        kernel = self.w[f"{key}.weight"]  # (C', C or 1, k, k)
        k = kernel.shape[-1]
        depthwise = kernel.shape[1] == 1 and x.shape[-1] > 1
        x = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
        rows = (x.shape[1] - k) // stride + 1
        columns = (x.shape[2] - k) // stride + 1
        y = np.zeros((len(x), rows, columns, kernel.shape[0]))
        for i in range(k):
            for j in range(k):
                seen = x[:, i : i + stride * rows : stride, j : j + stride * columns : stride]
                y += seen * kernel[:, 0, i, j] if depthwise else seen @ kernel[:, :, i, j].T
        return y + self.w[f"{key}.bias"] if f"{key}.bias" in self.w else y

    @staticmethod
    def _gelu(x: Array) -> Array:
        return 0.5 * x * (1 + _erf(x / math.sqrt(2)))

    # ---------------------------------------------------------------- stem

    def _stem(self, x: Array) -> Array:
        c = self.config
        if c.stem == "patch":
            cells = self._conv(x, "stem.proj", c.patch_size, 0)
        elif c.stem == "conv":
            for i in (0, 3, 6):
                x = self._conv(x, f"stem.layers.{i}", 2, 1)
                x = self._gelu(self._batch_norm(x, f"stem.layers.{i + 1}", 1e-5))
            cells = self._conv(x, "stem.layers.9", 1, 0)
        else:
            x = self._layer_norm(self._conv(x, "stem.conv0", 4, 0), "stem.norm0", 1e-6)
            x = self._stage(x, 0)
            x = self._stage(self._conv(self._layer_norm(x, "stem.norm1", 1e-6), "stem.conv1", 2, 0), 1)
            cells = self._conv(x, "stem.proj", 1, 0)
            if len(c.stem_widths) == 3:
                x = self._stage(self._conv(self._layer_norm(x, "stem.norm2", 1e-6), "stem.conv2", 2, 0), 2)
                cells = cells + self._conv(x, "stem.proj2", 1, 0).repeat(2, axis=1).repeat(2, axis=2)
        return cells.reshape(len(cells), -1, c.width)

    def _stage(self, x: Array, stage: int) -> Array:
        for i in range(self.config.stem_depths[stage]):
            key = f"stem.stage{stage}.{i}"
            y = self._conv(x, f"{key}.dw", 1, self.config.stem_kernels[stage] // 2)
            y = self._layer_norm(y, f"{key}.norm", 1e-6)
            x = x + self._linear(self._gelu(self._linear(y, f"{key}.fc1")), f"{key}.fc2")
        return x

    # ---------------------------------------------------------------- the pass

    def run(self, crops: Array) -> list[LiteralBlock]:
        """Every block's state for crops uint8 (B, 112, 112, 3) RGB."""
        c = self.config
        x = (crops / 255.0 - np.array(c.mean)) / np.array(c.std)
        tokens = self._stem(resize_bilinear(x, c.image_size))
        if self.n_prefix:
            first = np.broadcast_to(self.w["quality_token"], (len(tokens), 1, c.width))
            tokens = np.concatenate([first, tokens], axis=1)
        tokens = tokens + self.w["pos_embed"]
        states = []
        for i in range(c.depth):
            states.append(self._block(tokens, f"blocks.{i}"))
            tokens = states[-1].tokens
        return states

    def _block(self, x: Array, key: str) -> LiteralBlock:
        c = self.config
        d = c.width // c.heads
        qkv = self._linear(self._layer_norm(x, f"{key}.norm1", c.norm_eps), f"{key}.attn.qkv")
        # the 3·D outputs are queries, keys, values; each is H heads of d numbers, one head after the other
        parts = (qkv[..., part * c.width : (part + 1) * c.width] for part in range(3))
        q, k, v = (np.stack([x[..., h * d : (h + 1) * d] for h in range(c.heads)], axis=1) for x in parts)
        logits = np.einsum("bhid,bhjd->bhij", q, k) / math.sqrt(d)
        attention = softmax(logits)
        mixed = np.concatenate([attention[:, h] @ v[:, h] for h in range(c.heads)], axis=-1)
        x = x + self._linear(mixed, f"{key}.attn.proj")
        hidden = self._linear(self._layer_norm(x, f"{key}.norm2", c.norm_eps), f"{key}.mlp.fc1")
        hidden = np.clip(hidden, 0, 6) if c.activation == "relu6" else self._gelu(hidden)
        return LiteralBlock(q, k, attention, x + self._linear(hidden, f"{key}.mlp.fc2"))

    def final_norm(self, tokens: Array) -> Array:
        """LN: the network's last LayerNorm, (B, T, D) → (B, T, D)."""
        return self._layer_norm(tokens, "norm", self.config.norm_eps)

    def embedding(self, tokens: Array) -> Array:
        """Recognition head on a block's tokens, (B, T, D) → (B, E)."""
        c = self.config
        normed = self.final_norm(tokens)
        if not c.head_sees_prefix:
            normed = normed[:, self.n_prefix :]
        if c.head == "mean":
            return self._batch_norm(self._linear(normed.mean(axis=1), "head.project"), "head.norm", 1e-5)
        x = self._linear(normed.reshape(len(normed), -1), "head.reduce")
        x = self._linear(self._batch_norm(x, "head.norm1", c.head_eps), "head.project")
        return self._batch_norm(x, "head.norm2", c.head_eps)

    def exit_score(self, tokens: Array, number: int = 1) -> Array:
        """Quality of the tokens of block ``number`` through the whole head, (B, T, D) → (B,)."""
        c = self.config
        key = "quality_head" if c.quality_exits == "shared" else f"quality_head.{number - 1}"
        x = self._quality_features(tokens) if c.quality == "token" else self.embedding(tokens)
        x = self._batch_norm(x, f"{key}.norm", 1e-5)
        if c.quality_hidden:
            x = self._gelu(self._linear(x, f"{key}.hidden"))
        return self._linear(x, f"{key}.project")[:, 0]

    def _quality_features(self, tokens: Array) -> Array:
        """(B, T, D) → (B, kinds · D): quality token, mean and standard deviation of the patches."""
        normed = self.final_norm(tokens)
        patches = normed[:, self.n_prefix :]
        found = {"token": normed[:, 0], "mean": patches.mean(axis=1), "std": patches.std(axis=1)}
        return np.concatenate([found[kind] for kind in self.config.quality_features], axis=1)

    # ---------------------------------------------------------------- the methods

    def vitnt(
        self, states: list[LiteralBlock], blocks: list[int], alpha: float, weighting: str, norm: str
    ) -> tuple[Array, Array]:
        """ViTNT-FIQA: (score (B,), patch quality (B, N))."""
        p = self.n_prefix
        units = []
        for t in blocks:
            z = self.final_norm(states[t].tokens) if norm == "final" else states[t].tokens
            units.append(z[:, p:] / np.linalg.norm(z[:, p:], axis=-1, keepdims=True))
        n_crops, n_patches = units[0].shape[:2]
        quality = np.zeros((n_crops, n_patches))
        for b in range(n_crops):
            for patch in range(n_patches):
                steps = [
                    np.linalg.norm(before[b, patch] - after[b, patch])
                    for before, after in itertools.pairwise(units)
                ]
                quality[b, patch] = 2 / (1 + math.exp(alpha * sum(steps) / len(steps)))
        if weighting == "uniform":
            return quality.mean(axis=1), quality
        weight = np.zeros((n_crops, n_patches))
        for t in blocks[-1:] if weighting == "last" else blocks:
            weight += attention_received(states[t].attention[:, :, p:, p:])
        weight /= weight.sum(axis=1, keepdims=True)
        return (weight * quality).sum(axis=1), quality

    def attn(self, state: LiteralBlock, reduce: str = "mean") -> tuple[Array, Array]:
        """ATTN-FIQA: (score (B,), what each patch receives (B, N)), from the N × N matrices of every head."""
        q, k = state.queries[:, :, self.n_prefix :], state.keys[:, :, self.n_prefix :]
        n_crops, heads, n_patches, d = q.shape
        logits = np.zeros((n_crops, heads, n_patches, n_patches))
        for b in range(n_crops):
            for h in range(heads):
                logits[b, h] = q[b, h] @ k[b, h].T / math.sqrt(d)
        flat = logits.reshape(n_crops, -1)
        if reduce == "mean":
            return flat.mean(axis=1), logits.mean(axis=(1, 2))
        if reduce == "median":
            return np.median(flat, axis=1), logits.mean(axis=(1, 2))
        if reduce == "max":
            return flat.max(axis=1), logits.max(axis=(1, 2))
        return 1 / flat.std(axis=1), logits.mean(axis=(1, 2))


def attention_received(attention: Array) -> Array:
    """Post-softmax attention (B, H, N, N) → (B, N): mean over heads, sum over queries, total 1."""
    received = attention.mean(axis=1).sum(axis=1)
    return received / received.sum(axis=1, keepdims=True)


def softmax(x: Array) -> Array:
    """Over the last axis."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def fuse(exits: Array, weights: list[float]) -> Array:
    """EX-FIQA fusion of raw exits (B, L): sum of w_l · s_l over the sum of w_l."""
    return sum(w * exits[:, i] for i, w in enumerate(weights)) / sum(weights)


def resize_bilinear(images: Array, side: int) -> Array:
    """(B, H, W, C) → (B, side, side, C): pixel centres at half-integers, edges repeated, no antialiasing."""
    for axis in (1, 2):
        n = images.shape[axis]
        if n == side:
            continue
        position = np.clip((np.arange(side) + 0.5) * n / side - 0.5, 0, n - 1)
        low = np.floor(position).astype(int)
        high = np.minimum(low + 1, n - 1)
        share = (position - low).reshape([-1 if a == axis else 1 for a in range(4)])
        images = (1 - share) * images.take(low, axis) + share * images.take(high, axis)
    return images
