"""Vision Transformers of other libraries behind ``ViT.walk``, by attribute: nothing is imported or copied.

Accepted are timm's ``VisionTransformer`` and, from transformers 4 and 5, ``ViTModel``, ``CLIPVisionModel``
and ``Dinov2Model`` (with or without registers). An adapted network is made of copies of the model's own
modules in evaluation mode, which share its weights and their device. Class and register tokens become prefix
tokens, which no statistic of the patches sees.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from ..errors import UsageError
from ..types import CROP_SIZE
from .card import describe
from .config import ViTConfig
from .copies import evaluation_copy
from .vit import ViT

Triple = tuple[float, float, float]

ACCEPTED = (
    "a fiqa.ViT, a timm VisionTransformer, or a transformers ViTModel, CLIPVisionModel or Dinov2Model "
    "(with or without registers)"
)
TOLERANCE = 1e-3

_HALF: Triple = (0.5, 0.5, 0.5)
_IMAGENET: tuple[Triple, Triple] = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_CLIP: tuple[Triple, Triple] = (
    (0.48145466, 0.4578275, 0.40821073),
    (0.26862954, 0.26130258, 0.27577711),
)
# A transformers model does not know its normalisation, its image processor does: the published ones.
_PIXEL_RANGES: Mapping[str, tuple[Triple, Triple]] = {
    "vit": (_HALF, _HALF),
    "clip_vision_model": _CLIP,
    "dinov2": _IMAGENET,
    "dinov2_with_registers": _IMAGENET,
}


def adapt(model: Any, *, mean: Sequence[float] | None = None, std: Sequence[float] | None = None) -> ViT:
    """Put a foreign Vision Transformer behind the interface of :class:`fiqa.network.vit.ViT`.

    The result takes the same crops as any other network, uint8 RGB (B, 112, 112, 3), and resamples them
    bilinearly to the model's own input size. Its final LayerNorm is the one that the model applies to its
    tokens: for CLIP ``post_layernorm``, for a timm model that pools first ``fc_norm``. It gives no embedding
    and has no exits; ``vit.card`` says where it comes from. Of ``vit.config``, stem, MLP and activation are
    nominal: the model's own modules run. They are compared with its own forward pass on one image.

    Args:
        model: one of those that the module names, in float32; it stays as it is. A fiqa ViT is returned
            unchanged. A Dinov2Model, which takes any size, is used at ``model.config.image_size``.
        mean, std: normalisation of RGB values in [0, 1], three numbers each. By default the model's own: of
            timm's ``pretrained_cfg`` (0.5 if there is none); for transformers 0.5 (ViT), CLIP's or ImageNet's
            (Dinov2).

    Raises:
        UsageError: ``model`` is of another kind, not in float32, or computes something else than a ViT.
    """
    if isinstance(model, ViT):
        if mean is not None or std is not None:
            raise UsageError("a fiqa ViT has its mean and std in its config: don't give them again")
        return model
    if not isinstance(model, nn.Module):
        raise _refusal(model, "it is no torch module")
    model = evaluation_copy(model)
    if hasattr(model, "patch_embed") and hasattr(model, "blocks"):
        parts = _from_timm(model)
    else:
        parts = _from_transformers(model)
    return _assemble(model, parts, _triple("mean", mean, parts.mean), _triple("std", std, parts.std))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """What a foreign model consists of. ``forward`` maps images to its own last tokens, normed or not."""

    stem: nn.Module
    blocks: Sequence[ForeignBlock]
    norm: nn.Module
    n_prefix: int
    image_size: int
    patch_size: int
    heads: int
    mean: Triple | None
    std: Triple | None
    forward: Callable[[Tensor], Tensor] | None
    name: str = ""
    source: str = ""
    licence: str = ""


class ForeignAttention(nn.Module):
    """Another library's projections, split as :class:`fiqa.network.vit.Attention` splits its own.

    Either ``qkv`` is one projection, queries first, or three. ``q_norm`` and ``k_norm`` act on single heads.
    """

    def __init__(
        self,
        qkv: Iterable[nn.Module],
        proj: nn.Module,
        heads: int,
        q_norm: nn.Module | None = None,
        k_norm: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.qkv: Any = nn.ModuleList(qkv)
        self.proj = proj
        self.heads = heads
        self.q_norm = q_norm or nn.Identity()
        self.k_norm = k_norm or nn.Identity()

    def split(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, T, D) → queries, keys, values, each (B, H, T, d)."""
        projected = [layer(x) for layer in self.qkv]
        parts = projected if len(projected) == 3 else projected[0].chunk(3, dim=-1)
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)
        return self.q_norm(q), self.k_norm(k), v


class ForeignBlock(nn.Module):
    """Another library's block, in the parts that :class:`fiqa.network.vit.BlockState` reads."""

    def __init__(
        self,
        norm1: nn.Module,
        attn: ForeignAttention,
        norm2: nn.Module,
        mlp: nn.Module,
        scale1: nn.Module | None = None,
        scale2: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.norm1 = norm1
        self.attn = attn
        self.scale1 = scale1 or nn.Identity()
        self.norm2 = norm2
        self.mlp = mlp
        self.scale2 = scale2 or nn.Identity()


class TimmStem(nn.Module):
    """(B, 3, S, S) → (B, T, D) by a timm model's own embedding, positions and prefix tokens included."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model: Any = model  # as a whole: its method _pos_embed reads parameters of the model itself

    def forward(self, images: Tensor) -> Tensor:
        x = self.model._pos_embed(self.model.patch_embed(images))
        for name in ("patch_drop", "norm_pre"):
            x = getattr(self.model, name, nn.Identity())(x)
        return x


def _from_timm(model: Any) -> _Parts:
    config = getattr(model, "pretrained_cfg", None) or getattr(model, "default_cfg", None) or {}
    norm = _get(model, "norm")
    if isinstance(norm, nn.Identity):  # models that pool before the norm keep it as fc_norm
        norm = getattr(model, "fc_norm", norm)
    blocks = [_timm_block(block) for block in model.blocks]
    return _Parts(
        stem=TimmStem(model),
        blocks=blocks,
        norm=norm,
        n_prefix=_get(model, "num_prefix_tokens"),
        image_size=_side(model, "image", _get(model.patch_embed, "img_size")),
        patch_size=_side(model, "patch", _get(model.patch_embed, "patch_size")),
        heads=blocks[0].attn.heads,
        mean=config.get("mean", _HALF),
        std=config.get("std", _HALF),
        forward=getattr(model, "forward_features", None),
        name=config.get("architecture") or "",
        source=config.get("hf_hub_id") or config.get("url") or "",
        licence=config.get("license") or "",
    )


def _timm_block(block: Any) -> ForeignBlock:
    attn = _get(block, "attn")
    proj = _get(attn, "proj")
    if hasattr(attn, "norm"):  # scale_attn_norm: a norm between the heads and the projection
        proj = nn.Sequential(attn.norm, proj)
    return ForeignBlock(
        norm1=_get(block, "norm1"),
        attn=ForeignAttention(
            [_get(attn, "qkv")],
            proj,
            _get(attn, "num_heads"),
            getattr(attn, "q_norm", None),
            getattr(attn, "k_norm", None),
        ),
        norm2=_get(block, "norm2"),
        mlp=_get(block, "mlp"),
        scale1=getattr(block, "ls1", None),
        scale2=getattr(block, "ls2", None),
    )


def _from_transformers(model: Any) -> _Parts:
    inner = getattr(model, "base_model", model)  # of a model with a task head
    inner = getattr(inner, "vision_model", inner)
    if not hasattr(inner, "embeddings") or not hasattr(inner, "config"):
        raise _refusal(model, "it has neither timm's attributes nor those of transformers")
    config, embeddings = inner.config, inner.embeddings
    image_size = _side(model, "image", _get(config, "image_size"))
    encoder = getattr(inner, "encoder", inner)
    stem = [embeddings, *([inner.pre_layrnorm] if hasattr(inner, "pre_layrnorm") else [])]
    mean, std = _PIXEL_RANGES.get(config.model_type, (None, None))
    registers = getattr(embeddings, "register_tokens", None)
    has_class = hasattr(embeddings, "cls_token") or hasattr(embeddings, "class_embedding")
    return _Parts(
        stem=nn.Sequential(*stem),
        blocks=[_transformers_block(layer) for layer in _get(encoder, "layers", "layer")],
        norm=_get(inner, "layernorm", "post_layernorm"),
        n_prefix=int(has_class) + (0 if registers is None else registers.shape[1]),
        image_size=image_size,
        patch_size=_side(model, "patch", _get(config, "patch_size")),
        heads=config.num_attention_heads,
        mean=mean,
        std=std,
        forward=lambda images: inner(images)[0],
        name=getattr(config, "_name_or_path", ""),
        source=getattr(config, "_name_or_path", ""),
    )


def _transformers_block(layer: Any) -> ForeignBlock:
    attention = _get(layer, "attention", "self_attn")
    inner = getattr(attention, "attention", attention)  # version 4 keeps the projections one level down
    output = attention.output.dense if hasattr(attention, "output") else _get(attention, "o_proj", "out_proj")
    qkv = [_get(inner, *names) for names in (("q_proj", "query"), ("k_proj", "key"), ("v_proj", "value"))]
    if hasattr(layer, "mlp"):
        mlp = layer.mlp
    else:
        mlp = nn.Sequential(_get(layer, "intermediate"), _get(_get(layer, "output"), "dense"))
    return ForeignBlock(
        norm1=_get(layer, "layernorm_before", "layer_norm1", "norm1"),
        attn=ForeignAttention(qkv, output, _get(inner, "num_attention_heads", "num_heads")),
        norm2=_get(layer, "layernorm_after", "layer_norm2", "norm2"),
        mlp=mlp,
        scale1=getattr(layer, "layer_scale1", None),
        scale2=getattr(layer, "layer_scale2", None),
    )


def _assemble(model: nn.Module, parts: _Parts, mean: Triple, std: Triple) -> ViT:
    weight = next(model.parameters())
    other = {str(p.dtype) for p in model.parameters() if p.dtype != torch.float32}
    if other:
        raise _refusal(model, f"its weights are {', '.join(sorted(other))}, not float32: call .float() on it")
    width = parts.blocks[0].attn.qkv[0].in_features
    config = ViTConfig(
        width=width,
        depth=len(parts.blocks),
        heads=parts.heads,
        mlp_width=max(p.shape[0] for p in parts.blocks[0].mlp.parameters()),
        image_size=parts.image_size,
        patch_size=parts.patch_size,
        mean=mean,
        std=std,
    )
    with torch.device("meta"):  # the frame only: all that holds weights is replaced
        vit = ViT(config)
    vit.stem, vit.pos_embed, vit.n_prefix = parts.stem, None, parts.n_prefix
    vit.blocks, vit.norm = nn.ModuleList(parts.blocks), parts.norm
    vit.set_pixel_range(weight.device)
    vit.eval()
    kind = type(model).__name__
    card = replace(
        describe(vit, parts.name or kind),
        gflops=_compare(model, vit, parts.forward),
        source=parts.source,
        licence=parts.licence,
        notes=f"{kind}, adapted: {parts.image_size} pixels, mean {_text(mean)}, std {_text(std)}.",
    )
    vit.card = card
    return vit


@torch.no_grad()
def _compare(model: nn.Module, vit: ViT, forward: Callable[[Tensor], Tensor] | None) -> tuple[float, ...]:
    """Run one image, check it against the model's own pass, and return the GFLOPs up to each block.

    Attributes alone do not tell a plain ViT from one with, say, rotary positions or another residual order.
    """
    values = torch.arange(CROP_SIZE * CROP_SIZE * 3, device=vit.pixel_scale.device)
    crops = (values * 37 % 251).to(torch.uint8).reshape(1, CROP_SIZE, CROP_SIZE, 3)
    rows, columns = vit.grid
    tokens = vit.embed(vit.normalise(crops))
    if not isinstance(tokens, Tensor) or tokens.shape[1] != vit.n_prefix + rows * columns:
        raise _refusal(model, f"its embeddings are not {vit.n_prefix} tokens and {rows}×{columns} patches")
    gflops = []
    with FlopCounterMode(display=False) as counter:
        # no fused kernel, whose products are not always counted
        for state in vit.walk(crops, attention=range(vit.depth)):
            tokens = state.tokens
            gflops.append(round(counter.get_total_flops() * 1e-9, 6))
    if forward is not None:
        expected = forward(vit.normalise(crops))
        error = min(_error(tokens, expected), _error(vit.norm(tokens), expected))
        if not error <= TOLERANCE:
            raise _refusal(model, f"its own forward pass differs from a plain ViT's by {error:.1e}")
    return tuple(gflops)


def _error(got: Tensor, expected: Tensor) -> float:
    if got.shape != expected.shape:
        return float("inf")
    return float((got - expected).abs().max() / expected.abs().max())


def _refusal(model: Any, reason: str) -> UsageError:
    return UsageError(f"can't adapt a {type(model).__name__}: {reason}; accepted: {ACCEPTED}")


def _get(owner: Any, *names: str) -> Any:
    """The first of the attributes that ``owner`` has; versions of a library differ in their names."""
    for name in names:
        if hasattr(owner, name):
            return getattr(owner, name)
    raise _refusal(owner, f"it has no attribute {' or '.join(map(repr, names))}")


def _side(model: Any, what: str, size: Any) -> int:
    sides = (size,) if isinstance(size, int) else tuple(size or ())
    if not sides or len(set(sides)) != 1:
        raise _refusal(model, f"its {what} size must be square and fixed, but is {size}")
    return int(sides[0])


def _triple(name: str, given: Sequence[float] | None, own: Triple | None) -> Triple:
    values = given if given is not None else own
    if values is None:
        raise UsageError(
            f"this model does not say its {name}: give {name}=(r, g, b), as its processor has it"
        )
    if len(values) != 3 or (name == "std" and min(values) <= 0):
        rule = " positive" if name == "std" else ""
        raise UsageError(f"{name} must be three{rule} numbers for RGB in [0, 1], but got {values}")
    red, green, blue = map(float, values)
    return red, green, blue


def _text(values: Triple) -> str:
    return "/".join(f"{value:g}" for value in values)
