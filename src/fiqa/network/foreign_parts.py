"""A foreign Vision Transformer in → its parts, in the places where ``ViT.walk`` looks for them, out.

They are found by attribute, and nothing of timm or transformers is imported: versions differ in their names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from ..errors import UsageError

Triple = tuple[float, float, float]

ACCEPTED = (
    "a fiqa.ViT, a timm VisionTransformer, or a transformers ViTModel, CLIPVisionModel or Dinov2Model "
    "(with or without registers)"
)

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


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignParts:
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


def take_apart(model: nn.Module) -> ForeignParts:
    """Find the parts of a model of timm or transformers.

    Args:
        model: in evaluation mode; the parts are its own modules, not copies.

    Raises:
        UsageError: ``model`` is of neither library, or lacks an attribute that a Vision Transformer has.
    """
    if hasattr(model, "patch_embed") and hasattr(model, "blocks"):
        return _from_timm(model)
    return _from_transformers(model)


def _from_timm(model: Any) -> ForeignParts:
    config = getattr(model, "pretrained_cfg", None) or getattr(model, "default_cfg", None) or {}
    norm = _get(model, "norm")
    if isinstance(norm, nn.Identity):  # models that pool before the norm keep it as fc_norm
        norm = getattr(model, "fc_norm", norm)
    blocks = [_timm_block(block) for block in model.blocks]
    return ForeignParts(
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


def _from_transformers(model: Any) -> ForeignParts:
    inner = getattr(model, "base_model", model)  # of a model with a task head
    inner = getattr(inner, "vision_model", inner)
    if not hasattr(inner, "embeddings") or not hasattr(inner, "config"):
        raise refusal(model, "it has neither timm's attributes nor those of transformers")
    config, embeddings = inner.config, inner.embeddings
    image_size = _side(model, "image", _get(config, "image_size"))
    encoder = getattr(inner, "encoder", inner)
    stem = [embeddings, *([inner.pre_layrnorm] if hasattr(inner, "pre_layrnorm") else [])]
    mean, std = _PIXEL_RANGES.get(config.model_type, (None, None))
    registers = getattr(embeddings, "register_tokens", None)
    has_class = hasattr(embeddings, "cls_token") or hasattr(embeddings, "class_embedding")
    return ForeignParts(
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


def refusal(model: Any, reason: str) -> UsageError:
    return UsageError(f"can't adapt a {type(model).__name__}: {reason}; accepted: {ACCEPTED}")


def _get(owner: Any, *names: str) -> Any:
    """The first of the attributes that ``owner`` has; versions of a library differ in their names."""
    for name in names:
        if hasattr(owner, name):
            return getattr(owner, name)
    raise refusal(owner, f"it has no attribute {' or '.join(map(repr, names))}")


def _side(model: Any, what: str, size: Any) -> int:
    sides = (size,) if isinstance(size, int) else tuple(size or ())
    if not sides or len(set(sides)) != 1:
        raise refusal(model, f"its {what} size must be square and fixed, but is {size}")
    return int(sides[0])
