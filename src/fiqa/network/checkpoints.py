"""Checkpoints: reading tensor files, and strict loading of a network from one.

A state dict holds everything but the number of heads, so that comes from a preset, from the file's own
metadata or from the caller, and is never guessed: a wrong one changes every score without an error.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Literal

import torch
from torch import Tensor

from ..errors import CheckpointMismatch, DataError, UsageError, require, unknown
from ..types import ModelCard
from .card import describe
from .config import ViTConfig
from .hub import fetch
from .layouts import IGNORED, LAYOUTS, Layout, Shapes, infer_config, recognise
from .presets import HUB, PRESETS, Preset
from .vit import Block, ViT

Keep = Literal["all", "exits", "blocks"]

WRAPPERS = ("state_dict", "model", "model_state_dict")
PREFIXES = ("module.", "model.", "net.", "backbone.", "_orig_mod.")


# ---------------------------------------------------------------- reading files


def read_state_dict(path: str | os.PathLike[str]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read a tensor file: (key → tensor, metadata), wrappers opened and common prefixes stripped.

    ``.safetensors`` goes through safetensors; anything else through ``torch.load(weights_only=True)``, which
    runs no code from the file. Tensors are mapped, not copied, where the format allows.

    Raises:
        DataError: the file is missing, damaged, or holds no tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"no checkpoint at {str(path)!r}")
    metadata: dict[str, str] = {}
    if path.suffix == ".safetensors":
        safetensors = require("safetensors", "torch", "reading .safetensors")
        require("safetensors.torch", "torch", "reading .safetensors")
        try:
            with safetensors.safe_open(str(path), framework="pt") as file:
                metadata = dict(file.metadata() or {})
                found: Any = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        except (safetensors.SafetensorError, OSError) as error:
            raise DataError(f"{str(path)!r} is no readable safetensors file: {error}") from error
    else:
        found = _torch_load(path)
    for wrapper in WRAPPERS:
        if isinstance(found, Mapping) and isinstance(found.get(wrapper), Mapping):
            found = found[wrapper]
    if not isinstance(found, Mapping) or not all(isinstance(value, Tensor) for value in found.values()):
        raise DataError(
            f"{str(path)!r} holds no state dict of tensors; expected one, bare or under {WRAPPERS}"
        )
    if not found:
        raise DataError(f"{str(path)!r} holds no tensors")
    return _strip(dict(found)), metadata


def _torch_load(path: Path) -> Any:
    # What torch raises for a damaged file depends on where the damage is; all of it means the same here.
    try:
        try:
            return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except RuntimeError:  # a file in torch's old format can't be mapped
            return torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:  # torch's own text would advise to run what the file holds
        raise DataError(
            f"{str(path)!r} is no torch checkpoint of plain tensors: save the network's state_dict() alone"
        ) from error
    except Exception as error:
        reason = str(error).partition(". ")[0] or "it ends too early"
        raise DataError(f"{str(path)!r} can't be read as a torch checkpoint: {reason}") from error


def _strip(state: dict[str, Tensor]) -> dict[str, Tensor]:
    while prefix := next((p for p in PREFIXES if all(key.startswith(p) for key in state)), ""):
        state = {key[len(prefix) :]: value for key, value in state.items()}
    return state


# ---------------------------------------------------------------- loading


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
        DataError: the file is missing or damaged.
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
    layout = LAYOUTS["fiqa"] if "fiqa.config" in metadata else recognise(shapes)
    config = _config(layout, shapes, metadata, heads, wanted)
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
    except (ValueError, TypeError, AttributeError) as error:
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
    loaded = {key: state[old].to(torch.float32, copy=True) for key, old in renamed.items() if key in needed}
    tracked = {key: torch.tensor(0) for key in needed if key.endswith("num_batches_tracked")}
    vit.load_state_dict(loaded | tracked, assign=True)
    vit.set_pixel_range(torch.device("cpu"))
    return vit.eval().requires_grad_(False)


def _card(vit: ViT, name: str, preset: Preset | None, metadata: Mapping[str, str]) -> ModelCard:
    if "fiqa.card" in metadata:
        card = ModelCard.from_json(metadata["fiqa.card"])
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
    metadata = {"fiqa.config": json.dumps(asdict(vit.config)), "fiqa.card": describe(vit).to_json()}
    temporary = Path(f"{os.fspath(path)}.part")
    temporary.write_bytes(torch_files.save(state, metadata=metadata))
    temporary.replace(path)
