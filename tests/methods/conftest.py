"""Networks of every shape, their literal twins, and a method on both."""

from __future__ import annotations

import pytest
import torch

from fiqa.evidence import Evidence
from fiqa.methods import parse
from fiqa.network import describe, record
from reference.literal import LiteralViT

NETWORKS = {
    "patch 16": {},
    "patch 8, one head, relu6": {"patch_size": 8, "heads": 1, "width": 12, "depth": 4},
    "patch 9, 108 of 112 pixels, gelu": {"patch_size": 9, "activation": "gelu", "mlp_width": 40},
    "qkv bias, eps": {"qkv_bias": True, "norm_eps": 1e-3, "heads": 4, "depth": 5},
    "own mean and std": {"mean": (0.48, 0.46, 0.41), "std": (0.27, 0.26, 0.28)},
    "224 pixels": {"image_size": 224, "patch_size": 32},
    "64 pixels": {"image_size": 64, "patch_size": 16},
    "flatten head": {"head": "flatten", "embedding": 10},
    "mean head": {"head": "mean", "embedding": 10},
    "quality token": {"quality": "token", "quality_token": True, "head": "flatten", "embedding": 8},
    "quality token, mean head": {"quality": "token", "quality_token": True, "head": "mean", "embedding": 8},
    "quality of the embedding": {"quality": "embedding", "head": "flatten", "embedding": 8, "depth": 4},
    "quality of the mean embedding": {"quality": "embedding", "head": "mean", "embedding": 8},
    "full": {
        "quality": "embedding",
        "quality_token": True,
        "head_sees_prefix": True,
        "head": "flatten",
        "embedding": 16,
    },
    "conv stem": {
        "stem": "conv",
        "patch_size": 8,
        "quality": "token",
        "quality_token": True,
        "activation": "gelu",
    },
    "convnext stem": {"stem": "convnext", "patch_size": 8, "stem_widths": (6, 10), "stem_depths": (2, 1)},
    "convnext stem, three levels": {
        "stem": "convnext",
        "patch_size": 8,
        "stem_widths": (4, 6, 8),
        "stem_depths": (1, 1, 2),
        "stem_kernels": (3, 5, 7),
    },
}


@pytest.fixture(scope="module", params=NETWORKS)
def case(request, make_vit, crops):
    """A network, its literal twin's states on two crops, and the function spec → (score, map)."""
    vit = make_vit(list(NETWORKS).index(request.param), **NETWORKS[request.param]).fold()
    literal = LiteralViT(vit)
    images = crops[:2]
    card = describe(vit)

    def run(spec):
        method = parse(spec, card)
        with torch.inference_mode():
            found = record(vit, torch.from_numpy(images), method.needs())
        evidence = Evidence({name: value.numpy() for name, value in found.items()}, card.grid)
        return method.score(evidence), method.patch_map(evidence)

    return vit, literal, literal.run(images), run
