"""What fixes a network's shape: ``ViTConfig``, and nothing of torch."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Literal

from ..errors import UsageError
from ..types import CROP_SIZE, MOST_BLOCKS

_MOST = {  # far beyond what anybody trains
    **{"width": 2**16, "depth": MOST_BLOCKS, "heads": 2**10, "mlp_width": 2**18, "embedding": 2**16},
    **{"image_size": 2**12, "patch_size": 2**12, "quality_hidden": 2**16},
    **{"stem_widths": 2**14, "stem_depths": 100, "stem_kernels": 31},
}
_ALLOWED = {
    "stem": ("patch", "conv", "convnext"),
    "activation": ("relu6", "gelu"),
    "head": ("flatten", "mean", None),
    "quality": ("token", "embedding", None),
    "quality_exits": ("shared", "own", "added"),
    **dict.fromkeys(("qkv_bias", "head_sees_prefix", "quality_token"), (True, False)),
}

QUALITY_FEATURES = ("token", "mean", "std")


@dataclass(frozen=True, slots=True, kw_only=True)
class ViTConfig:
    """Everything that fixes a network's shape; weights with the same config are interchangeable.

    Attributes:
        width: D, length of a token.
        depth: L, number of blocks.
        heads: H, number of attention heads; D must be a multiple. Never stored in a state dict.
        image_size: side of the square input in pixels; crops of another size are resampled bilinearly.
        patch_size: side of a patch; a remainder at the right and bottom is ignored. The convolutional stems
            halve the image three times, so that theirs is 8.
        mlp_width: hidden width of a block's MLP.
        stem: ``patch`` (one strided convolution), ``conv`` (three 3×3 stride-2 convolutions with BatchNorm)
            or ``convnext`` (ConvNeXt stages at 4, 8 and perhaps 16 pixels a cell).
        activation: ``relu6`` or ``gelu`` (exact).
        qkv_bias: whether queries, keys and values have a bias.
        head: ``flatten`` (Linear → BN → Linear → BN on all tokens), ``mean`` (Linear → BN on their mean) or
            None. With ``head_sees_prefix`` the quality token is among the tokens.
        embedding: E, length of the recognition embedding; 0 without a head.
        quality: ``token`` (read from a prepended quality token), ``embedding`` (read from the recognition
            embedding) or None.
        quality_token: whether a learnable quality token is prepended.
        quality_features: what a head of ``quality="token"`` reads, after the final LayerNorm: the quality
            ``token``, and ``mean`` and ``std`` of the patch tokens. ViT-FIQA reads the token alone.
        quality_hidden: units of the head's hidden layer; 0 for ViT-FIQA's linear head.
        quality_exits: ``shared`` (one head reads every exit, as in EX-FIQA), ``own`` (each exit has a head of
            its own) or ``added`` (each has, and adds what it says to the score of the exit before).
        stem_widths, stem_depths, stem_kernels: channels, blocks and depthwise kernel of the ``convnext``
            stem's stages, at 4, 8 and (if there is a third) 16 pixels a cell.
        norm_eps, head_eps: epsilon of the LayerNorms and of the recognition head's BatchNorms.
        mean, std: per-channel normalisation of RGB values in [0, 1].
    """

    width: int
    depth: int
    heads: int
    mlp_width: int
    image_size: int = CROP_SIZE
    patch_size: int = 8
    stem: Literal["patch", "conv", "convnext"] = "patch"
    activation: Literal["relu6", "gelu"] = "relu6"
    qkv_bias: bool = False
    head: Literal["flatten", "mean"] | None = None
    head_sees_prefix: bool = False
    embedding: int = 0
    quality: Literal["token", "embedding"] | None = None
    quality_token: bool = False
    quality_features: tuple[str, ...] = ("token",)
    quality_hidden: int = 0
    quality_exits: Literal["shared", "own", "added"] = "shared"
    stem_widths: tuple[int, ...] = (32, 64)
    stem_depths: tuple[int, ...] = (3, 2)
    stem_kernels: tuple[int, ...] = (3, 5)
    norm_eps: float = 1e-5
    head_eps: float = 2e-5
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)

    def __post_init__(self) -> None:
        self._check_ranges()
        if min(self.width, self.depth, self.heads, self.mlp_width) < 1:
            raise UsageError(f"width, depth, heads and mlp_width must be at least 1, but got {self}")
        if self.width % self.heads:
            raise UsageError(f"the width {self.width} is not a multiple of the number of heads {self.heads}")
        if self.quality == "token" and not self.quality_token:
            raise UsageError("quality='token' needs quality_token=True")
        if self.quality == "embedding" and self.head is None:
            raise UsageError("quality='embedding' needs a recognition head")
        self._check_quality_head()
        if not 1 <= self.patch_size <= self.image_size:
            raise UsageError(
                f"a patch of {self.patch_size} pixels does not fit an image of {self.image_size} pixels"
            )
        if self.stem != "patch" and (self.patch_size != 8 or self.image_size % 16):
            raise UsageError(
                f"a {self.stem} stem has patches of 8 pixels and an image whose side is a multiple of 16, "
                f"but got {self.patch_size} and {self.image_size}"
            )

    def _check_ranges(self) -> None:
        """Types and sizes, which a file's metadata may have wrong: before anything of that size is made."""
        for name, most in _MOST.items():
            values = getattr(self, name)
            for value in values if isinstance(values, tuple) else (values,):
                if type(value) is not int or not 0 <= value <= most:
                    raise UsageError(f"{name} must be whole numbers from 0 to {most}, but got {values!r:.60}")
        for name in ("norm_eps", "head_eps", "mean", "std"):
            values = getattr(self, name)
            numbers = values if isinstance(values, tuple) else (values,)
            if not all(type(value) in (int, float) and abs(value) < 1e6 for value in numbers):
                raise UsageError(f"{name} must be finite numbers, but got {values!r:.60}")
        if len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0:
            raise UsageError(f"mean and std must be three numbers each, std positive, but got {self!r:.200}")
        stages = (self.stem_widths, self.stem_depths, self.stem_kernels)
        if self.stem == "convnext" and {len(stage) for stage in stages} not in ({2}, {3}):
            raise UsageError(
                f"a convnext stem has two or three stages, but got {', '.join(map(str, stages))}"
            )
        if min(itertools.chain(*stages), default=1) < 1 or not all(size % 2 for size in self.stem_kernels):
            raise UsageError(f"stem stages must be positive, their kernels odd, but got {stages}")
        for name, allowed in _ALLOWED.items():
            if getattr(self, name) not in allowed:
                shown = ", ".join(map(str, allowed))
                raise UsageError(f"{name} must be one of {shown}, but got {getattr(self, name)!r:.60}")

    def _check_quality_head(self) -> None:
        features = self.quality_features
        known = all(feature in QUALITY_FEATURES for feature in features)
        if not known or not features or len(set(features)) < len(features):
            shown = ", ".join(map(str, features)) or "none"
            raise UsageError(
                f"quality_features must be some of {', '.join(QUALITY_FEATURES)}, each once, "
                f"but got {shown:.60}"
            )
        form = (features, self.quality_hidden, self.quality_exits)
        if self.quality != "token" and form != (("token",), 0, "shared"):
            raise UsageError(
                f"quality_features, quality_hidden and quality_exits shape a head that reads tokens: "
                f"leave them, or set quality='token' in place of {self.quality!r}"
            )

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the patch grid."""
        side = self.image_size // self.patch_size
        return side, side

    @property
    def n_patches(self) -> int:
        """N, the number of patch tokens."""
        return self.grid[0] * self.grid[1]

    @property
    def n_prefix(self) -> int:
        """Number of tokens before the patches."""
        return int(self.quality_token)
