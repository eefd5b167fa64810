"""One dataclass that fixes a training run; saved as JSON beside the checkpoints."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from augment import AugmentConfig
from fiqa.network import ViTConfig


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides the result but the data.

    Attributes:
        objective: ``distil`` copies a teacher's embeddings (no identity labels needed); ``cosface`` is the
            recipe of the ViT-FIQA paper for labelled faces (CosFace + CR-FIQA's label, no teacher).
        mode: where quality is read: ``token`` (mode T, a quality token) or ``embedding`` (mode C).
        width, depth, heads, mlp_width: the shape; an MLP of 0 is four times the width. stem, stem_*: as in
            `fiqa.network.ViTConfig`.
        quality_features, quality_hidden, quality_exits: form of the quality heads of mode ``token``, as in
            `fiqa.network.ViTConfig`; the defaults are ViT-FIQA's shared linear head.
        frozen_stem: keep the (pretrained) stem as it is; its features are then computed once a view.
        embedding: length of the embedding; with a teacher, the teacher's length is taken.
        batch: views a step and process. reuse: steps a view is used in, on average. ring: views held.
        samples: length of the run in views (all processes together); seconds, if not 0, ends it by the clock
            instead: the schedule then follows the time spent in steps, also across resumes.
        lr_matrix: Muon's rate for the block matrices. lr: AdamW's for the rest. lr_stem: AdamW's for a stem
            that is not frozen; 0 for the rate of the rest.
        keep: (from this fraction of the run, tokens kept of each 2×2 group of patches): most of the run sees
            a quarter of the patches, which costs a quarter and teaches nearly as much; the end sees all.
        *_weight: weight of each loss, see `objectives`.
        stray: share of views that are no upright face at all, so that quality knows them.
        save_every: steps between checkpoints; there is one after 5 minutes in any case.
        examine_every: steps between the figures on held-out faces; 0 for none.
    """

    objective: Literal["distil", "cosface"] = "distil"
    mode: Literal["token", "embedding"] = "token"
    width: int = 160
    depth: int = 8
    heads: int = 5
    mlp_width: int = 0
    embedding: int = 512
    quality_features: tuple[str, ...] = ("token",)
    quality_hidden: int = 0
    quality_exits: Literal["shared", "own", "added"] = "shared"
    stem: Literal["patch", "conv", "convnext"] = "convnext"
    stem_widths: tuple[int, ...] = (32, 64, 100)
    stem_depths: tuple[int, ...] = (3, 3, 8)
    stem_kernels: tuple[int, ...] = (3, 5, 7)
    frozen_stem: bool = True
    batch: int = 96
    reuse: int = 4
    ring: int = 6144
    samples: int = 400_000
    seconds: float = 0.0
    warmup: int = 100
    lr_matrix: float = 5e-3
    lr: float = 1.5e-3
    lr_stem: float = 0.0
    weight_decay: float = 0.02
    keep: tuple[tuple[float, int], ...] = ((0.0, 1), (0.6, 2), (0.85, 4))
    ema: float = 0.998
    cos_weight: float = 4.0
    contrast_weight: float = 1.0
    dense_weight: float = 0.0
    quality_weight: float = 1.0
    attention_weight: float = 0.3
    stability_weight: float = 0.3
    stability_every: int = 2
    map_weight: float = 0.2
    stray: float = 0.0
    alpha: float = 8.0
    margin: float = 0.4
    scale: float = 64.0
    precision: Literal["bf16", "fp32"] = "bf16"
    device: str = "cpu"
    seed: int = 0
    log_every: int = 25
    save_every: int = 100
    examine_every: int = 0
    augment: AugmentConfig = field(default_factory=AugmentConfig)

    def __post_init__(self) -> None:
        if (self.batch % self.reuse) or (self.ring % (self.batch // self.reuse)) or self.ring < self.batch:
            raise ValueError(
                f"batch {self.batch} must be a multiple of reuse {self.reuse}, and ring {self.ring} "
                f"a multiple of batch / reuse and at least the batch"
            )
        if self.frozen_stem and (self.stem != "convnext" or len(self.stem_widths) != 3):
            raise ValueError("only a convnext stem of three stages can be frozen: set frozen_stem to false")

    def network(self) -> ViTConfig:
        """The student's architecture."""
        return ViTConfig(
            width=self.width,
            depth=self.depth,
            heads=self.heads,
            mlp_width=self.mlp_width or 4 * self.width,
            stem=self.stem,
            stem_widths=self.stem_widths,
            stem_depths=self.stem_depths,
            stem_kernels=self.stem_kernels,
            activation="gelu",
            head="mean",
            embedding=self.embedding,
            quality=self.mode,
            quality_token=self.mode == "token",
            quality_features=self.quality_features,
            quality_hidden=self.quality_hidden,
            quality_exits=self.quality_exits,
        )

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(dataclasses.asdict(self), indent=1) + "\n")

    @staticmethod
    def load(path: Path, **changes: Any) -> TrainConfig:
        return TrainConfig.of(json.loads(path.read_text()) | changes)

    @staticmethod
    def of(values: dict[str, Any]) -> TrainConfig:
        """From what JSON can hold; raises TypeError for a field that does not exist."""
        values = dict(values)
        values |= {k: tuple(v) for k, v in values.items() if k.startswith("stem_") or k == "quality_features"}
        if "keep" in values:
            values["keep"] = tuple(tuple(k) for k in values["keep"])
        if "augment" in values:
            values["augment"] = AugmentConfig(**values["augment"])
        return TrainConfig(**values)
