"""Checkpoints: strict loading of a network from a tensor file, and writing one.

A state dict holds everything but the number of heads, so that comes from a preset, from the file's own
metadata or from the caller, and is never guessed: a wrong one changes every score without an error.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from ..errors import CheckpointMismatch, DataError, FiqaError, UsageError, require, unknown
from ..types import ModelCard
from .card import describe
from .config import ViTConfig
from .hub import fetch
from .layouts import IGNORED, LAYOUTS, Layout, Shapes, infer_config, recognise
from .presets import HUB, PRESETS, Preset
from .tensor_files import read_state_dict
from .vit import Block, ViT

Keep = Literal["all", "exits", "blocks"]

__all__ = ["load_checkpoint", "read_state_dict", "save_checkpoint"]


def load_checkpoint(
    path: str | os.PathLike[str],
    *,
    heads: int | None = None,
    preset: str | None = None,
    keep: Keep = "all",
) -> ViT:
    """Load a ViT checkpoint, strictly: every key and shape must fit, or nothing is loaded.

    Args:
        path: .safetensors, .pt or .pth, or ``hf-hub:owner/name`` (extra ``hub``).
        heads: number of attention heads; needed unless a preset or the file's metadata says it.
        preset: name of a published network (``fiqa models``) that the file must be.
        keep: ``all``; ``exits`` drops the recognition head after folding it into the exits; ``blocks``
            does not even load it.

    Returns:
        The network in evaluation mode, float32, on the CPU. ``vit.card`` describes it.

    Raises:
        CheckpointMismatch: with the first missing and unexpected keys and the layout that fits best.
        DataError: the file is missing or damaged, or a number in it is not finite.
        UsageError: the number of heads is not known.

    >>> load_checkpoint("nowhere.pt", heads=8)
    Traceback (most recent call last):
        ...
    fiqa.errors.DataError: no checkpoint at 'nowhere.pt'
    """
    wanted = _preset(preset) if preset is not None else None
    name = os.fspath(path)
    file = fetch(name) if name.startswith(HUB) else Path(name)
    state, metadata = read_state_dict(file)
    state = {key: tensor for key, tensor in state.items() if not IGNORED.match(key)}
    shapes = {key: tuple(tensor.shape) for key, tensor in state.items()}
    try:
        layout = LAYOUTS["fiqa"] if "fiqa.config" in metadata else recognise(shapes)
        config = _config(layout, shapes, metadata, heads, wanted)
    except FiqaError:
        raise
    except (ValueError, IndexError, ZeroDivisionError, OverflowError) as error:
        raise CheckpointMismatch(
            f"the shapes in {name!r} are those of no vision transformer: {error}"
        ) from error
    vit = _fill(config, layout, state, keep)
    if keep != "blocks":
        vit.fold(keep_head=keep == "all")
    vit.card = _card(vit, name, wanted, metadata)
    return vit


def _preset(name: str) -> Preset:
    if name not in PRESETS:
        raise unknown("preset", name, PRESETS)
    return PRESETS[name]


def _config(
    layout: Layout, shapes: Shapes, metadata: Mapping[str, str], heads: int | None, preset: Preset | None
) -> ViTConfig:
    if preset is not None and heads not in (None, preset.heads):
        raise UsageError(f"{preset.name} has {preset.heads} heads, but got heads={heads}")
    heads = preset.heads if preset is not None else heads
    if layout.name == "fiqa":
        config = _stored_config(metadata)
        if heads not in (None, config.heads):
            raise UsageError(f"this checkpoint says it has {config.heads} heads, but got heads={heads}")
    elif heads is None:
        probe = _shape(infer_config(layout, shapes, 1))
        fits = [
            f"{p.name} ({p.heads})" for p in PRESETS.values() if p.shape == probe and p.layout == layout.name
        ]
        hint = f"; its shapes are those of {', '.join(fits)}" if fits else ""
        raise UsageError(f"a checkpoint does not say how many attention heads it has: give heads=…{hint}")
    else:
        config = infer_config(layout, shapes, heads)
    if preset is not None and (layout.name not in ("fiqa", preset.layout) or preset.shape != _shape(config)):
        raise CheckpointMismatch(
            f"{preset.name} is {preset.layout} with (width, depth, MLP, patch) {preset.shape}, "
            f"but the file is {layout.name} with {_shape(config)}"
        )
    return config


def _stored_config(metadata: Mapping[str, str]) -> ViTConfig:
    if "fiqa.config" not in metadata:
        raise CheckpointMismatch("a fiqa checkpoint carries its config as metadata, which this file lacks")
    try:
        values: dict[str, Any] = json.loads(metadata["fiqa.config"])
        values = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
        return ViTConfig(**values)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(f"the config in this checkpoint's metadata can't be read: {error}") from error


def _shape(config: ViTConfig) -> tuple[int, int, int, int]:
    return config.width, config.depth, config.mlp_width, config.patch_size


def _fill(config: ViTConfig, layout: Layout, state: Mapping[str, Tensor], keep: Keep) -> ViT:
    with torch.device("meta"):
        vit = ViT(config)
    expected = {key: tuple(t.shape) for key, t in vit.state_dict().items() if not IGNORED.match(key)}
    renamed = {layout.rename(key): key for key in state}
    missing = [key for key in expected if key not in renamed]
    unexpected = [renamed[key] for key in renamed if key not in expected]
    wrong = [
        f"{renamed[key]!r} is {tuple(state[renamed[key]].shape)}, not {shape}"
        for key, shape in expected.items()
        if key in renamed and tuple(state[renamed[key]].shape) != shape
    ]
    if missing or unexpected or wrong:
        parts = [f"{len(missing)} keys are missing, first {missing[0]!r} (our name)"] if missing else []
        parts += [f"{len(unexpected)} are unexpected, first {unexpected[0]!r}"] if unexpected else []
        parts += [f"{len(wrong)} have another shape: {wrong[0]}"] if wrong else []
        raise CheckpointMismatch(f"the layout that fits best is {layout.name}, but {'; '.join(parts)}")
    if keep == "blocks" or (keep == "exits" and config.quality != "embedding"):
        vit.head = None  # half of a ViT-S, and nothing will read it
    if keep == "blocks" and config.quality == "embedding":
        vit.quality_head = None
    needed = set(vit.state_dict())
    # one copy, in float32, so that nothing depends on the mapped file any more
    loaded = {key: _checked(old, state[old]) for key, old in renamed.items() if key in needed}
    tracked = {key: torch.tensor(0) for key in needed if key.endswith("num_batches_tracked")}
    vit.load_state_dict(loaded | tracked, assign=True)
    vit.set_pixel_range(torch.device("cpu"))
    return vit.eval().requires_grad_(False)


def _checked(key: str, tensor: Tensor) -> Tensor:
    """A copy in float32; DataError if a number is not finite, or fewer are stored than the shape says."""
    stored = tensor.untyped_storage().nbytes() // tensor.element_size()
    if tensor.numel() > stored:
        raise DataError(
            f"{key!r} is said to hold {tensor.numel()} numbers, but the file has {stored} of them"
        )
    copy = tensor.to(torch.float32, copy=True)
    if not torch.isfinite(copy).all():
        n = int((~torch.isfinite(copy)).sum())
        raise DataError(
            f"{n} of the {copy.numel()} numbers of {key!r} are NaN or infinite: get the file again"
        )
    return copy


def _card(vit: ViT, name: str, preset: Preset | None, metadata: Mapping[str, str]) -> ModelCard:
    if "fiqa.card" in metadata:
        card = ModelCard.from_json(metadata["fiqa.card"])
        if (card.depth, card.grid) != (vit.depth, vit.grid):
            raise DataError(
                f"the card in {name!r} is of {card.depth} blocks and a grid of {card.grid}, "
                f"but the network has {vit.depth} and {vit.grid}"
            )
        return replace(card, exits=vit.has_exits, embedding=card.embedding if vit.head is not None else 0)
    card = describe(vit, Path(name).name if not name.startswith(HUB) else name)
    if preset is None:
        return card
    return replace(
        card, name=preset.name, source=preset.source, licence=preset.licence, defaults=preset.defaults or {}
    )


def save_checkpoint(vit: ViT, path: str | os.PathLike[str], *, half: bool = False) -> None:
    """Write a network as .safetensors with its config and card, exactly, or with ``half`` in float16."""
    if not all(isinstance(block, Block) for block in vit.blocks):
        raise UsageError("an adapted network is saved by the library that it comes from, not by fiqa")
    torch_files = require("safetensors.torch", "torch", "writing .safetensors")
    dtype = torch.float16 if half else torch.float32
    state = {
        k: t.detach().to("cpu", dtype).contiguous()
        for k, t in vit.state_dict().items()
        if t.is_floating_point()
    }
    for key, tensor in state.items():
        if not torch.isfinite(tensor).all():
            raise UsageError(f"{key!r} has numbers that are NaN or infinite in {dtype}: nothing was written")
    metadata = {"fiqa.config": json.dumps(asdict(vit.config)), "fiqa.card": describe(vit).to_json()}
    temporary = Path(f"{os.fspath(path)}.part")
    temporary.write_bytes(torch_files.save(state, metadata=metadata))
    temporary.replace(path)
