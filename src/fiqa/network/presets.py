"""Published networks by name: what their files do not say, and where their owners hand them out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A published network: what its files do not say, and where they come from.

    Attributes:
        name: what users type.
        heads: number of attention heads.
        width, depth, mlp_width, patch_size: checked against the file.
        layout: the key layout, a name in ``LAYOUTS``.
        source: where its owners hand it out; begins with ``hf-hub:`` if it can be fetched from there.
        licence: terms of the weights as their owners state them.
        sha256: of the owners' file where known; empty otherwise.
        defaults: method name → the settings that its paper reports.
    """

    name: str
    heads: int
    width: int
    depth: int
    mlp_width: int
    patch_size: int
    layout: str
    source: str
    licence: str
    sha256: str = ""
    defaults: Mapping[str, str] | None = None

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(width, depth, mlp_width, patch_size), by which files are told apart."""
        return self.width, self.depth, self.mlp_width, self.patch_size


HUB = "hf-hub:"

_ARCFACE: dict[str, Any] = {
    "heads": 8,
    "patch_size": 9,
    "layout": "arcface",
    "source": "InsightFace recognition/arcface_torch, WebFace42M checkpoints",
    "licence": "non-commercial research only (InsightFace models)",
}
_VITFIQA: dict[str, Any] = {
    "heads": 8,
    "width": 512,
    "depth": 12,
    "mlp_width": 2048,
    "patch_size": 9,
    "source": "ViT-FIQA's authors' download",
    "licence": "CC BY-NC-SA 4.0",
}
_CVLFACE: dict[str, Any] = {
    "width": 512,
    "patch_size": 8,
    "layout": "arcface",
    "licence": "code MIT; weights trained on WebFace4M, research data",
}

PRESETS = {
    preset.name: preset
    for preset in (
        Preset(name="arcface-vit-t", width=256, depth=12, mlp_width=1024, **_ARCFACE),
        Preset(name="arcface-vit-s", width=512, depth=12, mlp_width=2048, **_ARCFACE),
        Preset(name="arcface-vit-b", width=512, depth=24, mlp_width=2048, **_ARCFACE),
        Preset(name="arcface-vit-l", width=768, depth=24, mlp_width=3072, **_ARCFACE),
        Preset(
            name="cvlface-vit-s",
            heads=8,
            depth=12,
            mlp_width=2560,
            source="CVLface, ViT-S AdaFace or ArcFace WebFace4M",
            **_CVLFACE,
        ),
        Preset(
            name="cvlface-vit-b",
            heads=16,
            depth=24,
            mlp_width=1536,
            source=HUB + "minchul/cvlface_adaface_vit_base_webface4m",
            defaults={"vitnt": "vitnt:blocks=0-19"},
            **_CVLFACE,
        ),
        Preset(name="vitfiqa-s-token", layout="vitfiqa-token", **_VITFIQA),
        Preset(name="vitfiqa-s-crfiqa", layout="vitfiqa-crfiqa", **_VITFIQA),
        Preset(name="vitfiqa-s-full", layout="vitfiqa-full", **_VITFIQA),
    )
}
