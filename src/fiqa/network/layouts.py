"""Key layouts of published ViT checkpoints: which keys mark one, how they map to ours, what they imply."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import CheckpointMismatch
from ..types import CROP_SIZE, MOST_BLOCKS
from .config import ViTConfig

# file key → our key, as prefix rules; the first that fits wins.
_RENAME_ARCFACE = (
    ("patch_embed.proj.", "stem.proj."),
    ("qs_token", "quality_token"),
    ("feature.0.", "head.reduce."),
    ("feature.1.", "head.norm1."),
    ("feature.2.", "head.project."),
    ("feature.3.", "head.norm2."),
    ("head_qs.0.", "quality_head.norm."),
    ("head_qs.1.", "quality_head.project."),
)
_RENAME_FIRST = (
    ("pe.", "stem.layers."),
    ("pos", "pos_embed"),
    ("head.0.", "head.project."),
    ("head.1.", "head.norm."),
    ("qh.0.", "quality_head.norm."),
    ("qh.1.", "quality_head.project."),
    ("q", "quality_token"),
)
_IN_BLOCK_FIRST = ((".n1.", ".norm1."), (".n2.", ".norm2."), (".fc1.", ".mlp.fc1."), (".fc2.", ".mlp.fc2."))
# In published files and used by no method: masking while training, and the unused norms of other exits.
IGNORED = re.compile(r"^(mask_token|early_norms\..*|.*\.num_batches_tracked)$")


def _arcface_key(key: str) -> str:
    return next((new + key[len(old) :] for old, new in _RENAME_ARCFACE if key.startswith(old)), key)


def _first_key(key: str) -> str:
    if key.startswith("blocks."):
        for old, new in _IN_BLOCK_FIRST:
            key = key.replace(old, new)
        return key
    return next((new + key[len(old) :] for old, new in _RENAME_FIRST if key.startswith(old)), key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A family of key names: which keys mark it, how they map to ours, and what they say of the config."""

    name: str
    marks: tuple[str, ...]
    rename: Callable[[str], str]
    fixed: Mapping[str, Any]


_ARCFACE_MARKS = ("patch_embed.proj.weight", "blocks.0.attn.qkv.weight", "blocks.0.mlp.fc1.weight")
_FIQA_TOKEN = {"quality": "token", "quality_token": True}

_QUALITY_MARKS = (*_ARCFACE_MARKS, "head_qs.1.weight")

LAYOUTS = {
    layout.name: layout
    for layout in (
        Layout(name="fiqa", marks=("stem.proj.weight", "blocks.0.mlp.fc1.weight"), rename=str, fixed={}),
        Layout(
            name="fiqa-first",
            marks=("pe.0.weight", "q", "blocks.0.n1.weight"),
            rename=_first_key,
            fixed={"stem": "conv", "activation": "gelu", "head": "mean", **_FIQA_TOKEN},
        ),
        Layout(
            name="vitfiqa-token",
            marks=(*_QUALITY_MARKS, "qs_token"),
            rename=_arcface_key,
            fixed=_FIQA_TOKEN,
        ),
        Layout(
            name="vitfiqa-full",
            marks=(*_QUALITY_MARKS, "qs_token"),
            rename=_arcface_key,
            fixed={"quality": "embedding", "quality_token": True, "head_sees_prefix": True},
        ),
        Layout(
            name="vitfiqa-crfiqa",
            marks=_QUALITY_MARKS,
            rename=_arcface_key,
            fixed={"quality": "embedding"},
        ),
        Layout(name="arcface", marks=_ARCFACE_MARKS, rename=_arcface_key, fixed={}),
    )
}

Shapes = Mapping[str, tuple[int, ...]]


def recognise(shapes: Shapes) -> Layout:
    """The layout of a file, by its keys and shapes (prefixes already stripped).

    Raises:
        CheckpointMismatch: no layout fits; names the nearest and the first key that it misses.
    """
    fits = [layout for layout in LAYOUTS.values() if all(mark in shapes for mark in layout.marks)]
    if not fits:
        nearest = max(LAYOUTS.values(), key=lambda layout: _overlap(layout, shapes))
        missing = next(mark for mark in nearest.marks if mark not in shapes)
        raise CheckpointMismatch(
            f"this is no checkpoint of a known layout ({', '.join(LAYOUTS)}): the nearest is {nearest.name}, "
            f"of which {missing!r} is missing; the first of its {len(shapes)} keys is {_first(shapes)}"
        )
    if fits[0].name == "vitfiqa-token" and "feature.0.weight" in shapes:
        # token and full have the same keys; in full the recognition head also sees the quality token
        tokens = shapes["feature.0.weight"][1] // shapes["patch_embed.proj.weight"][0]
        return LAYOUTS["vitfiqa-full" if tokens == shapes["pos_embed"][1] else "vitfiqa-token"]
    return fits[0]


def _overlap(layout: Layout, shapes: Shapes) -> float:
    known = {
        name for name in map(layout.rename, shapes) if name.startswith(("stem.", "blocks.", "norm.", "pos_"))
    }
    return len(known) + sum(mark in shapes for mark in layout.marks)


def infer_config(layout: Layout, shapes: Shapes, heads: int) -> ViTConfig:
    """The config that the shapes of a file imply, given the number of heads.

    Raises:
        CheckpointMismatch: a key that the config is read from is missing.
    """
    ours = {layout.rename(key): shape for key, shape in shapes.items()}

    def shape(key: str) -> tuple[int, ...]:
        if key not in ours:
            raise CheckpointMismatch(
                f"a {layout.name} checkpoint must hold {key!r} (our name), which is missing"
            )
        return ours[key]

    blocks = [int(key.split(".")[1]) for key in ours if re.match(r"blocks\.\d+\.", key)]
    conv = layout.fixed.get("stem") == "conv"
    depth = max(blocks) + 1
    if depth > MOST_BLOCKS:  # counted before that many are made
        raise CheckpointMismatch(
            f"a network has at most {MOST_BLOCKS} blocks, but a key of this file is in block {depth - 1}"
        )
    width = shape("pos_embed")[-1]
    patch = 8 if conv else shape("stem.proj.weight")[-1]
    n_patches = shape("pos_embed")[1] - ("quality_token" in ours)
    if n_patches < 1 or patch < 1:
        raise CheckpointMismatch(f"a network has patches, but this file has {n_patches} of {patch} pixels")
    fits_crop = (CROP_SIZE // patch) ** 2 == n_patches
    head = layout.fixed.get("head", "flatten" if "head.reduce.weight" in ours else None)
    return ViTConfig(
        **{
            "width": width,
            "depth": depth,
            "heads": heads,
            "mlp_width": shape("blocks.0.mlp.fc1.weight")[0],
            "patch_size": patch,
            "image_size": CROP_SIZE if fits_crop else math.isqrt(n_patches) * patch,
            "qkv_bias": "blocks.0.attn.qkv.bias" in ours,
            "embedding": shape("head.project.weight")[0] if head else 0,
            **layout.fixed,
            "head": head,
        }
    )


def _first(keys: Iterable[str]) -> str:
    return repr(next(iter(keys), ""))
