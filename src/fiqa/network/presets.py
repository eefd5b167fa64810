"""Published networks by name: what their files do not say, and where their owners hand them out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Preset:
    """A published network: what its files do not say, and where they come from.

    Attributes:
        name: what users type.
        heads: number of attention heads.
        shape: (width, depth, mlp_width, patch_size), checked against the file.
        layout: the key layout, a name in ``LAYOUTS``.
        source: where its owners hand it out; begins with ``hf-hub:`` if it can be fetched from there.
        licence: terms of the weights as their owners state them.
        sha256: of the owners' file where known; empty otherwise.
        defaults: method name → the settings that its paper reports.
    """

    name: str
    heads: int
    shape: tuple[int, int, int, int]
    layout: str
    source: str
    licence: str
    sha256: str = ""
    defaults: Mapping[str, str] | None = None


HUB = "hf-hub:"

_INSIGHTFACE = "InsightFace recognition/arcface_torch, WebFace42M checkpoints"
_NON_COMMERCIAL = "non-commercial research only (InsightFace models)"
_AUTHORS = "ViT-FIQA's authors' download"
_CVLFACE = "hf-hub:minchul/cvlface_adaface_vit_"

PRESETS = {
    preset.name: preset
    for preset in (
        Preset("arcface-vit-t", 8, (256, 12, 1024, 9), "arcface", _INSIGHTFACE, _NON_COMMERCIAL),
        Preset("arcface-vit-s", 8, (512, 12, 2048, 9), "arcface", _INSIGHTFACE, _NON_COMMERCIAL),
        Preset("arcface-vit-b", 8, (512, 24, 2048, 9), "arcface", _INSIGHTFACE, _NON_COMMERCIAL),
        Preset("arcface-vit-l", 8, (768, 24, 3072, 9), "arcface", _INSIGHTFACE, _NON_COMMERCIAL),
        Preset(
            "cvlface-vit-s",
            8,
            (512, 12, 2560, 8),
            "arcface",
            "CVLface, ViT-S AdaFace or ArcFace WebFace4M",
            "code MIT; weights trained on WebFace4M, research data",
        ),
        Preset(
            "cvlface-vit-b",
            16,
            (512, 24, 1536, 8),
            "arcface",
            _CVLFACE + "base_webface4m",
            "code MIT; weights trained on WebFace4M, research data",
            defaults={"vitnt": "vitnt:blocks=0-19"},
        ),
        Preset("vitfiqa-s-token", 8, (512, 12, 2048, 9), "vitfiqa-token", _AUTHORS, "CC BY-NC-SA 4.0"),
        Preset("vitfiqa-s-crfiqa", 8, (512, 12, 2048, 9), "vitfiqa-crfiqa", _AUTHORS, "CC BY-NC-SA 4.0"),
        Preset("vitfiqa-s-full", 8, (512, 12, 2048, 9), "vitfiqa-full", _AUTHORS, "CC BY-NC-SA 4.0"),
    )
}
