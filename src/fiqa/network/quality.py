"""Heads that regress quality from the tokens of an exit: what they read, and their form."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import ViTConfig


class QualityHead(nn.Module):
    """Regression of quality: ViT-FIQA's BN → Linear(· → 1) without bias, or BN → Linear → GELU → Linear."""

    def __init__(self, features: int, hidden: int = 0) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(features)
        self.hidden = nn.Linear(features, hidden) if hidden else None
        self.project = nn.Linear(hidden or features, 1, bias=hidden > 0)

    def forward(self, x: Tensor) -> Tensor:
        """(B, F) → (B,), higher = better."""
        x = self.norm(x)
        if self.hidden is not None:
            x = F.gelu(self.hidden(x))
        return self.project(x).squeeze(-1)


class QualityHeads(nn.ModuleList):
    """A `QualityHead` for each exit; exits count from 1."""

    def forward(self, x: Tensor, number: int) -> Tensor:
        """(B, F) features of exit ``number`` → (B,), higher = better."""
        return self[number - 1](x)


def quality_head(config: ViTConfig) -> QualityHead | QualityHeads | None:
    """The head, or heads, that a config asks for."""
    if config.quality is None:
        return None
    if config.quality == "embedding":
        return QualityHead(config.embedding)
    shape = len(config.quality_features) * config.width, config.quality_hidden
    if config.quality_exits == "shared":
        return QualityHead(*shape)
    return QualityHeads(QualityHead(*shape) for _ in range(config.depth))


def quality_features(normed: Tensor, n_prefix: int, kinds: Sequence[str]) -> Tensor:
    """Tokens (B, T, D) after the final LayerNorm → (B, kinds · D), what a quality head reads of an exit."""
    found = {"token": normed[:, 0]}
    if "mean" in kinds or "std" in kinds:
        patches = normed[:, n_prefix:]
        found["mean"] = patches.mean(dim=1)
        if "std" in kinds:
            found["std"] = (patches - found["mean"][:, None]).square().mean(dim=1).sqrt()
    return torch.cat([found[kind] for kind in kinds], dim=-1)
