"""A network in → its card out: what is known of it, and what each block costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .config import ViTConfig

if TYPE_CHECKING:
    from .vit import ViT

from ..types import ModelCard


def flops(config: ViTConfig) -> tuple[float, ...]:
    """GFLOPs (2 × multiply-adds) of one crop up to and including each block, heads excluded.

    Counts the matrix products of stem, projections, attention and MLP, the convention of the papers.

    >>> vit_s = ViTConfig(width=512, depth=12, heads=8, mlp_width=2048, patch_size=9)
    >>> [round(g, 2) for g in flops(vit_s)][:3]
    [0.98, 1.93, 2.88]
    """
    t, d = config.n_patches + config.n_prefix, config.width
    if config.stem == "patch":
        stem = config.n_patches * 3 * config.patch_size**2 * d
    elif config.stem == "conv":
        stem = 56**2 * 27 * 16 + 28**2 * 144 * 32 + 14**2 * 288 * 64 + 14**2 * 64 * d
    else:
        stem, before, side = 14**2 * config.stem_widths[1] * d, 3, 28
        for i, (c, n) in enumerate(zip(config.stem_widths, config.stem_depths, strict=True)):
            block = 8 * c * c + config.stem_kernels[i] ** 2 * c
            stem += side**2 * ((4 if i else 16) * before * c + n * block)
            stem += side**2 * c * d if i == 2 else 0
            before, side = c, side // 2
    block = t * (4 * d * d + 2 * d * config.mlp_width) + 2 * t * t * d
    return tuple(2e-9 * (stem + block * (i + 1)) for i in range(config.depth))


def describe(vit: ViT, name: str = "vit") -> ModelCard:
    """The card of a network, as far as the network itself tells; a card it already carries comes first.

    >>> from fiqa.network import ViT, ViTConfig
    >>> describe(ViT(ViTConfig(width=32, depth=3, heads=4, mlp_width=64))).depth
    3
    """
    if vit.card is not None:
        return vit.card
    return ModelCard(
        name=name,
        depth=vit.depth,
        grid=vit.grid,
        width=vit.config.width,
        heads=vit.config.heads,
        exits=vit.has_exits,
        embedding=vit.config.embedding if vit.head is not None else 0,
        gflops=tuple(round(value, 6) for value in flops(vit.config)),
    )
