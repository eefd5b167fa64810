"""A checkpoint or a foreign network in → a ViT that walks block by block, and its evidence, out (torch)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import lazy

if TYPE_CHECKING:
    from .adapters import adapt
    from .card import describe, flops
    from .checkpoints import load_checkpoint, read_state_dict, save_checkpoint
    from .config import ViTConfig
    from .presets import PRESETS, Preset
    from .recorder import record
    from .vit import BlockState, ViT

__all__ = [
    "PRESETS",
    "BlockState",
    "Preset",
    "ViT",
    "ViTConfig",
    "adapt",
    "describe",
    "flops",
    "load_checkpoint",
    "read_state_dict",
    "record",
    "save_checkpoint",
]

__getattr__, __dir__, _ = lazy.attach(
    __name__,
    {
        "adapters": ["adapt"],
        "card": ["describe", "flops"],
        "checkpoints": ["load_checkpoint", "read_state_dict", "save_checkpoint"],
        "config": ["ViTConfig"],
        "presets": ["PRESETS", "Preset"],
        "recorder": ["record"],
        "vit": ["BlockState", "ViT"],
    },
    needs=dict.fromkeys(("adapters", "checkpoints", "recorder", "vit"), ("torch", "torch")),
)
