"""The network that ships with the parts that only training needs: inputs in, what the losses read out."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from config import TrainConfig
from fiqa import load_checkpoint
from fiqa.network import BlockState, ViT
from fiqa.network.quality import QualityHeads, quality_features
from objectives import CosFace
from stem import maps


class Student(nn.Module):
    """The network that ships, and the parts that only training needs."""

    def __init__(self, config: TrainConfig, n_classes: int = 0, map_channels: int = 0) -> None:
        super().__init__()
        self.config = config
        self.vit = ViT(config.network())
        self.temperature = nn.Parameter(torch.tensor(20.0))
        with_dense = bool(map_channels and config.dense_weight)
        self.dense = nn.ModuleList(nn.Linear(config.width, map_channels) for _ in range(2 * with_dense))
        self.cosface = (
            CosFace(config.embedding, n_classes, config.margin, config.scale) if n_classes else None
        )
        self.register_buffer("map_scale", torch.zeros(()))
        channels = sum(config.stem_widths[1:]) if config.frozen_stem else 0
        self.register_buffer("feature_mean", torch.zeros(channels, 1, 1))
        self.register_buffer("feature_std", torch.ones(channels, 1, 1))
        _sincos_(self.vit)
        for layer in self.dense:
            nn.init.trunc_normal_(layer.weight, std=0.02)

    def stem_maps(self, images: Tensor) -> Tensor:
        """The frozen part of the stem: images → (B, C, 14, 14), the coarse map repeated 2×2."""
        fine, coarse = maps(self.vit.stem, images)
        return torch.cat([fine, F.interpolate(coarse, scale_factor=2.0, mode="nearest")], 1)

    def features(self, images: Tensor) -> Tensor:
        """The same with every channel standardised, which is what the trained projections learn best from."""
        return (self.stem_maps(images) - self.feature_mean) / self.feature_std

    def measure_features(self, images: Tensor) -> None:
        """Set the statistics of `features` from normalised images."""
        seen = self.stem_maps(images)
        self.feature_mean = seen.mean((0, 2, 3)).view(-1, 1, 1)
        self.feature_std = seen.std((0, 2, 3)).view(-1, 1, 1) + 1e-6

    def tokens(self, inputs: Tensor) -> Tensor:
        """Images or frozen features → patch tokens with their positions (B, 196, D)."""
        stem = self.vit.stem
        if self.config.frozen_stem:
            fine = self.config.stem_widths[1]
            x = stem.proj(inputs[:, :fine]) + stem.proj2(inputs[:, fine:])
            x = x.flatten(2).transpose(1, 2)
        else:
            x = stem(inputs)
        return x + self.vit.pos_embed[:, self.vit.n_prefix :]

    @torch.no_grad()
    def finished(self) -> ViT:
        """A copy of the network that takes images: the standardisation goes into the projections."""
        vit = copy.deepcopy(self.vit).eval()
        if self.config.frozen_stem:
            fine = self.config.stem_widths[1]
            for layer, part in ((vit.stem.proj, slice(fine)), (vit.stem.proj2, slice(fine, None))):
                layer.weight /= self.feature_std[part, 0, 0].view(1, -1, 1, 1)
                layer.bias -= layer.weight[:, :, 0, 0] @ self.feature_mean[part, 0, 0]
        return vit


def _sincos_(vit: ViT) -> None:
    # Learned positions start as sines: few samples then do not have to be spent on learning what is near.
    rows, columns = vit.grid
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    quarter = vit.config.width // 4
    omega = math.pi / max(rows, columns) * (torch.arange(quarter) % 10 + 1)
    waves = [f(v.flatten()[:, None] * omega) for v in (y, x) for f in (torch.sin, torch.cos)]
    with torch.no_grad():
        vit.pos_embed[0, vit.n_prefix :, : 4 * quarter] = torch.stack(waves, -1).flatten(1) * 0.1


def choose(per_group: int, b: int, g: torch.Generator) -> Tensor | None:
    """Indices (B, 49·m) of m random tokens of each 2×2 group of 14×14, ordered by group; None = all."""
    if per_group == 4:
        return None
    order = torch.rand(b, 49, 4, generator=g, device=g.device).argsort(-1)[..., :per_group]
    group = torch.arange(49, device=g.device)
    corner = (group // 7 * 28 + group % 7 * 2)[None, :, None]
    return (corner + order // 2 * 14 + order % 2).flatten(1)


@dataclass
class Output:
    embedding: Tensor  # (B, E)
    middle: Tensor  # (B, T, D), after the final LayerNorm
    last: Tensor  # (B, T, D), likewise
    exits: Tensor  # (L, B) in mode T, (1, B) in mode C
    attention: Tensor  # (B, T) the ATTN-FIQA map; its mean is the score
    stability: Tensor | None  # (B, T) the ViTNT-FIQA map; its mean is the score


def forward(student: Student, inputs: Tensor, chosen: Tensor | None, with_stability: bool) -> Output:
    """One pass with all that the losses need."""
    vit, config = student.vit, student.config
    x = student.tokens(inputs)
    b, _, width = x.shape
    if chosen is not None:
        x = x.gather(1, chosen[..., None].expand(-1, -1, width))
    if vit.quality_token is not None:
        x = torch.cat([(vit.quality_token + vit.pos_embed[:, :1]).expand(b, -1, -1), x], 1)
    skip, depth = vit.n_prefix, len(vit.blocks)
    kinds = vit.config.quality_features
    exits, steps, previous, middle = [], [], None, x
    for i, block in enumerate(vit.blocks):
        # with its attention matrix on a CPU, where the fused kernel is slower backwards
        state = BlockState(block, i, x, skip, keeps_attention=x.device.type == "cpu")
        if i == depth - 1:
            q, k = (t[:, :, skip:].float() for t in (state.queries, state.keys))
            attention = (q.mean(2, keepdim=True) * k).sum(-1).mean(1) * q.shape[-1] ** -0.5
        x = state.tokens
        whole = with_stability or kinds != ("token",) or i in (depth // 2, depth - 1)
        normed = vit.norm(x if whole else x[:, :1]).float()
        exits.append(quality_features(normed, skip, kinds))
        if with_stability:
            unit = F.normalize(normed[:, skip:], dim=-1)
            if previous is not None:
                steps.append(((unit - previous).square().sum(-1) + 1e-6).sqrt())
            previous = unit
        if i == depth // 2:
            middle = normed
    embedding = vit.embedding(normed)
    scores = exit_scores(vit, exits, embedding)
    stability = None
    if with_stability:
        distance = torch.stack(steps).mean(0)
        stability = 2 / (1 + torch.exp(config.alpha * distance))
    return Output(embedding, middle[:, skip:], normed[:, skip:], scores, attention, stability)


def exit_scores(vit: ViT, features: list[Tensor], embedding: Tensor) -> Tensor:
    """What the quality heads read of each exit, L times (B, F) → scores (L, B); (1, B) in mode C."""
    if vit.config.quality == "embedding":  # mode C learns at the last exit alone, as in the paper
        return vit.quality_head(embedding)[None]
    if not isinstance(vit.quality_head, QualityHeads):  # one BatchNorm over all: they share the head
        return vit.quality_head(torch.cat(features)).view(len(features), -1)
    own = torch.stack([vit.quality_head(x, number) for number, x in enumerate(features, 1)])
    return own.cumsum(0) if vit.config.quality_exits == "added" else own


def load_start(student: Student, path: Path, blocks: Sequence[int] | None = None) -> None:
    """Weights to start from: an earlier run's averaged ones (``last.pt``), or a finished network's.

    A finished network may be deeper: ``blocks``, from 1, says which of its blocks and exits are taken; and
    its MLPs wider: the hidden units with the largest weights are taken.
    """
    if path.suffix != ".safetensors":
        student.load_state_dict(torch.load(path, map_location=student.temperature.device)["average"])
        return
    if student.config.frozen_stem:
        raise SystemExit("a finished network has no place for a frozen stem: set frozen_stem to false")
    finished, mine = load_checkpoint(path).state_dict(), student.vit.state_dict()
    if blocks:
        if len(blocks) != student.config.depth:
            raise SystemExit(f"{len(blocks)} blocks do not make a network of depth {student.config.depth}")
        finished = {new: finished[old] for new in mine if (old := _taken(new, blocks)) in finished}
    for number in range(student.config.depth):
        _narrow(finished, f"blocks.{number}.mlp", student.vit.config.mlp_width)
    missing = [k for k, v in mine.items() if k not in finished or finished[k].shape != v.shape]
    if missing:
        raise SystemExit(f"{path} does not fit the settings: {missing[0]} is missing or has another shape")
    student.vit.load_state_dict({k: finished[k] for k in mine})


def _taken(key: str, blocks: Sequence[int]) -> str:
    """Name in the deeper network of a weight of the shallower one."""
    room, _, rest = key.partition(".")
    if room not in ("blocks", "quality_head"):
        return key
    number, _, name = rest.partition(".")
    return f"{room}.{blocks[int(number)] - 1}.{name}"


def _narrow(weights: dict[str, Tensor], mlp: str, width: int) -> None:
    """Keep ``width`` hidden units of one MLP, in place."""
    into, out = weights[f"{mlp}.fc1.weight"], weights[f"{mlp}.fc2.weight"]
    kept = (into.norm(dim=1) * out.norm(dim=0)).topk(min(width, len(into))).indices.sort()[0]
    weights[f"{mlp}.fc1.weight"], weights[f"{mlp}.fc2.weight"] = into[kept], out[:, kept]
    weights[f"{mlp}.fc1.bias"] = weights[f"{mlp}.fc1.bias"][kept]


def split_parameters(student: Student) -> dict[str, list[nn.Parameter]]:
    """Block matrices for Muon; for AdamW the rest, vectors (no decay), and the stem where it has a rate."""
    groups: dict[str, list[nn.Parameter]] = {"matrices": [], "rest": [], "plain": [], "stem": []}
    for name, p in student.named_parameters():
        body = name.startswith("vit.stem.") and ".proj" not in name
        if student.config.frozen_stem and body:
            p.requires_grad_(False)
        elif body and student.config.lr_stem:
            groups["stem"].append(p)
        elif ".blocks." in name and p.ndim == 2:
            groups["matrices"].append(p)
        elif p.ndim >= 2:
            groups["rest"].append(p)
        else:
            groups["plain"].append(p)
    return groups
