"""Small regression heads on features that no longer change: many at once, deterministic, resumable.

`Heads` is M heads side by side, each standardise → Linear → GELU → Linear, with weights of their own; `fit`
trains them together. M is a fold of people, an exit, a seed, or a product of these.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

EPS = 1e-5  # that of a BatchNorm, which is what the standardisation becomes
Batch = Callable[[Tensor], Tensor]  # rows (B,) → features (M or 1, B, F)


@dataclass(frozen=True)
class FitConfig:
    """How heads are fitted.

    Attributes:
        hidden: units of the hidden layer; 0 for a linear head.
        dropout: share of the features, and of the hidden units, that a step does not see.
        epochs, batch, lr, weight_decay: AdamW, one cosine to zero.
        beta: error, in standard deviations of the label, from which SmoothL1 grows linearly.
        added: whether each head adds to what the heads before it say, and the sum is what is compared.
        seed: of weights, order and dropout.
    """

    hidden: int = 256
    dropout: tuple[float, float] = (0.2, 0.3)
    epochs: int = 10
    batch: int = 512
    lr: float = 1e-3
    weight_decay: float = 0.05
    beta: float = 0.5
    added: bool = False
    seed: int = 0


class Heads(nn.Module):
    """M heads, each with its own weights: features (M or 1, B, F) → scores (M, B)."""

    mean: Tensor
    variance: Tensor

    def __init__(self, n_heads: int, features: int, config: FitConfig) -> None:
        super().__init__()
        self.config = config
        generator = torch.Generator().manual_seed(config.seed)

        def weight(*shape: int, fan: int) -> nn.Parameter:
            return nn.Parameter(torch.randn(shape, generator=generator) * fan**-0.5)

        self.register_buffer("mean", torch.zeros(n_heads, features))
        self.register_buffer("variance", torch.ones(n_heads, features))
        last = config.hidden or features
        if config.hidden:
            self.weight1 = weight(n_heads, features, config.hidden, fan=features)
            self.bias1 = nn.Parameter(torch.zeros(n_heads, config.hidden))
        self.weight2 = weight(n_heads, last, fan=10 * last)
        self.bias2 = nn.Parameter(torch.zeros(n_heads))

    def forward(self, x: Tensor) -> Tensor:
        x = (x - self.mean[:, None]) * (self.variance[:, None] + EPS).rsqrt()  # (M, B, F)
        x = F.dropout(x, self.config.dropout[0], self.training)
        if self.config.hidden:
            x = F.gelu(torch.baddbmm(self.bias1[:, None], x, self.weight1))  # (M, B, hidden)
            x = F.dropout(x, self.config.dropout[1], self.training)
        scores = (x * self.weight2[:, None]).sum(-1) + self.bias2[:, None]
        return scores.cumsum(0) if self.config.added else scores


def fit(
    batch: Batch, target: Tensor, weight: Tensor, config: FitConfig, checkpoint: Path | None = None
) -> Heads:
    """Fit M heads to ``target`` (M, n) with SmoothL1, rows weighing ``weight`` (M, n); 0 leaves a row out.

    Args:
        batch: features of some rows.
        checkpoint: .pt file that is written after every epoch; where it exists, the fit goes on from it, and
            ends with the same numbers as one that was never stopped.
    """
    rows = weight.sum(0).nonzero()[:, 0]
    probe = rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))[:8192]]
    sample = batch(probe)
    heads = Heads(len(target), sample.shape[-1], config)
    heads.mean[:], heads.variance[:] = sample.mean(1), sample.var(1)
    decayed = [p for name, p in heads.named_parameters() if name.startswith("weight")]
    others = [p for name, p in heads.named_parameters() if not name.startswith("weight")]
    groups = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=config.lr)
    steps = math.ceil(len(rows) / config.batch)
    first = 0
    if checkpoint is not None and checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        if saved["config"] != {k: str(v) for k, v in asdict(config).items()}:
            raise SystemExit(f"{checkpoint} was begun with other settings: use another --out, or remove it")
        heads.load_state_dict(saved["heads"])
        optimizer.load_state_dict(saved["optimizer"])
        first = saved["epoch"] + 1
    heads.train()
    for epoch in range(first, config.epochs):
        torch.manual_seed(config.seed * 1000 + epoch)  # so that a resumed fit draws what an unbroken one does
        order = rows[torch.randperm(len(rows))]
        total = 0.0
        for step, chosen in enumerate(order.split(config.batch)):
            at = (epoch + step / steps) / config.epochs
            for group in optimizer.param_groups:
                group["lr"] = config.lr * (1 + math.cos(math.pi * at)) / 2
            w = weight[:, chosen]
            loss = F.smooth_l1_loss(
                heads(batch(chosen)), target[:, chosen], beta=config.beta, reduction="none"
            )
            loss = (loss * w).sum() / w.sum().clamp_min(1e-6)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        print(f"epoch {epoch + 1} of {config.epochs}: loss {total / steps:.4f}", flush=True)
        if checkpoint is not None:
            saved = {"heads": heads.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}
            saved["config"] = {k: str(v) for k, v in asdict(config).items()}
            part = Path(f"{checkpoint}.part")
            torch.save(saved, part)
            os.replace(part, checkpoint)
    return heads.eval()


@torch.inference_mode()
def predict(heads: Heads, batch: Batch, rows: Tensor, size: int = 2048) -> Tensor:
    """Scores (M, len(rows)) of some rows."""
    return torch.cat([heads(batch(some)) for some in rows.split(size)], 1)


def two_views(seen: Sequence[NDArray[np.generic]], n: int) -> Batch:
    """Rows 0 … n−1 are the first view's, n … 2n−1 the second's: arrays (≤ n, F) → batches (1, B, F)."""

    def batch(rows: Tensor) -> Tensor:
        index = rows.numpy()
        second = index >= n
        x = np.empty((len(index), *seen[0].shape[1:]), np.float32)
        x[~second], x[second] = seen[0][index[~second]], seen[1][index[second] - n]
        return torch.from_numpy(x)[None]

    return batch
