"""Foreign transformers: each adapted network against the model's own hidden states and attention."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fiqa import evidence as names
from fiqa import methods
from fiqa.engines import OnnxRuntimeEngine, TorchEngine
from fiqa.errors import UsageError
from fiqa.network import ViT, ViTConfig, adapt, describe, flops, record
from reference.literal import LiteralBlock, LiteralViT, resize_bilinear

SMALL = {
    "hidden_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "patch_size": 8,
    "attn_implementation": "eager",
}
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


# ---------------------------------------------------------------- transformers


def build(kind: str, **changes: Any) -> Any:
    """A small transformers model of random weights, far enough from zero that attention is not uniform."""
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    settings = {**SMALL, **changes}
    if kind == "clip":
        config = transformers.CLIPVisionConfig(**{"image_size": 48, "intermediate_size": 40, **settings})
        model = transformers.CLIPVisionModel(config)
    elif kind == "vit":
        config = transformers.ViTConfig(**{"image_size": 48, "intermediate_size": 40, **settings})
        model = transformers.ViTModel(config)
    else:
        own = {"image_size": 56, "mlp_ratio": 2, "layerscale_value": 0.7, **settings}
        name = "Dinov2WithRegisters" if kind == "registers" else "Dinov2"
        own |= {"num_register_tokens": 3} if kind == "registers" else {}
        own |= {"use_swiglu_ffn": True} if kind == "swiglu" else {}
        model = getattr(transformers, f"{name}Model")(getattr(transformers, f"{name}Config")(**own))
    return randomise(model)


def randomise(model: nn.Module) -> nn.Module:
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            noise = torch.randn(tensor.shape, generator=generator)
            if name.endswith("weight") and tensor.dim() == 1:  # LayerNorm
                tensor.copy_(1 + 0.2 * noise)
            elif name.endswith("lambda1") or ".ls" in name:
                tensor.mul_(1 + 0.2 * noise)
            elif name.endswith("bias") or tensor.dim() == 1:
                tensor.copy_(0.2 * noise)
            elif "embedding" in name or "token" in name or "pos_embed" in name:
                tensor.copy_(noise * (0.5 if tensor.dim() != 4 else tensor[0].numel() ** -0.5))
            else:
                tensor.copy_(1.5 * noise * tensor[0].numel() ** -0.5)
    return model.eval()


class Foreign(LiteralViT):
    """The literal methods on states that somebody else computed."""

    def __init__(self, n_prefix: int, norm: nn.Module) -> None:
        self.n_prefix = n_prefix
        self.norm = norm

    def final_norm(self, tokens: np.ndarray) -> np.ndarray:
        variance = tokens.var(axis=-1, keepdims=True)
        weight, bias = (p.detach().double().numpy() for p in (self.norm.weight, self.norm.bias))
        return (tokens - tokens.mean(axis=-1, keepdims=True)) / np.sqrt(
            variance + self.norm.eps
        ) * weight + bias


def assert_close(got: np.ndarray, want: np.ndarray) -> None:
    """Equal to 1e-5 of the largest value: sums of float32 in another order differ by that scale."""
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-5 * max(1, np.abs(want).max()))


def double(tensor: Tensor) -> np.ndarray:
    return tensor.detach().double().numpy()


def prepared(vit: ViT, crops: np.ndarray, mean: Any, std: Any) -> Tensor:
    """The network's input (B, 3, S, S), after a comparison with the formula.

    The looser comparison is this one: torch keeps the positions between pixels in float32, which costs noise
    some 1e-5 already. What follows from the same input is compared more closely.
    """
    images = vit.normalise(torch.from_numpy(crops))
    expected = resize_bilinear((crops / 255 - np.array(mean)) / np.array(std), images.shape[-1])
    np.testing.assert_allclose(images, expected.transpose(0, 3, 1, 2), atol=2e-4)
    return images


def own_states(model: Any, vit: ViT, crops: np.ndarray, mean: Any, std: Any) -> list[LiteralBlock]:
    """What the model itself computes, by its own forward pass."""
    images = prepared(vit, crops, mean, std)
    projected: dict[str, list[Tensor]] = {"q": [], "k": []}

    def keep(kind: str) -> Any:
        return lambda _module, _inputs, output: projected[kind].append(output)

    hooks = [
        module.register_forward_hook(keep(name.rpartition(".")[2][0]))
        for name, module in model.named_modules()
        if name.endswith((".q_proj", ".k_proj", ".query", ".key"))
    ]
    with torch.no_grad():
        out = model(images, output_hidden_states=True, output_attentions=True)
    for hook in hooks:
        hook.remove()
    heads = model.config.num_attention_heads

    def split(x: Tensor) -> np.ndarray:
        return double(x).reshape(len(x), x.shape[1], heads, -1).transpose(0, 2, 1, 3)

    assert len(out.attentions) == len(projected["q"]) == len(out.hidden_states) - 1
    return [
        LiteralBlock(split(q), split(k), double(attention), double(tokens))
        for q, k, attention, tokens in zip(
            projected["q"], projected["k"], out.attentions, out.hidden_states[1:], strict=True
        )
    ]


FAMILIES = {  # kind → number of prefix tokens, normalisation, name of the final LayerNorm
    "vit": (1, HALF, "layernorm"),
    "clip": (1, CLIP, "post_layernorm"),
    "dinov2": (1, IMAGENET, "layernorm"),
    "swiglu": (1, IMAGENET, "layernorm"),
    "registers": (4, IMAGENET, "layernorm"),
}


def final_norm(model: Any, name: str) -> nn.Module:
    return getattr(getattr(model, "vision_model", model), name)


@pytest.mark.parametrize("kind", FAMILIES)
def test_states_are_the_models_own(kind: str, crops: np.ndarray) -> None:
    n_prefix, (mean, std), _ = FAMILIES[kind]
    model = build(kind)
    side = model.config.image_size
    vit = adapt(model)
    states = own_states(model, vit, crops, mean, std)
    assert (vit.n_prefix, vit.grid, vit.depth) == (n_prefix, (side // 8, side // 8), 3)
    with torch.no_grad():
        for own, state in zip(states, vit.walk(torch.from_numpy(crops)), strict=True):
            assert_close(double(state.keys), own.keys)
            fused = double(state.tokens)
            state.__dict__.pop("tokens")
            assert_close(double(state.attention), own.attention)
            assert_close(double(state.tokens), own.tokens)
            assert_close(fused, own.tokens)
    assert np.ptp(states[-1].attention) > 0.1  # or the comparison would say little


@pytest.mark.parametrize("kind", FAMILIES)
def test_scores_follow_from_the_models_own_states(kind: str, crops: np.ndarray) -> None:
    n_prefix, (mean, std), norm = FAMILIES[kind]
    model = build(kind)
    vit = adapt(model)
    states = own_states(model, vit, crops, mean, std)
    literal = Foreign(n_prefix, final_norm(model, norm))
    engine = TorchEngine(vit, device="cpu")

    def score(spec: str) -> tuple[np.ndarray, np.ndarray]:
        method = methods.parse(spec, engine.card)
        found = engine.run(crops, method.needs())
        patch_map = method.patch_map(found)
        assert patch_map is not None
        return method.score(found), patch_map.reshape(len(crops), -1)

    for weighting in ("uniform", "last", "mean"):
        for layer_norm in ("final", "none"):
            got, _ = score(f"vitnt:blocks=0-2,alpha=2,weighting={weighting},norm={layer_norm}")
            want, _ = literal.vitnt(states, [0, 1, 2], 2, weighting, layer_norm)
            np.testing.assert_allclose(got, want, rtol=1e-4)
    got, got_map = score("attn")
    want, want_map = literal.attn(states[-1])
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(got_map, want_map, rtol=1e-4, atol=1e-4)
    assert np.ptp(want) > 0.01


@pytest.mark.parametrize("kind", ["vit", "clip", "registers"])
def test_exports_to_onnx(kind: str, crops: np.ndarray, graph_of: Callable[..., bytes]) -> None:
    vit = adapt(build(kind))
    wanted = (names.step(0, 1, "final"), names.received(2), names.logits(2, "mean"))
    engine = OnnxRuntimeEngine(graph_of(f"adapted {kind}", vit, wanted), threads=1)
    with torch.no_grad():
        expected = record(vit, torch.from_numpy(crops), wanted)
    for name, array in engine.run(crops, wanted).items():
        np.testing.assert_allclose(array, expected[name], atol=1e-4 * float(expected[name].abs().max()))
    assert engine.card == describe(vit)


@pytest.mark.parametrize("kind", FAMILIES)
def test_shares_the_models_weights(kind: str) -> None:
    model = build(kind).train()
    vit = adapt(model)
    own = {id(parameter) for parameter in model.parameters()}
    assert {id(parameter) for parameter in vit.parameters()} <= own
    assert model.training  # as the caller left it
    assert not any(module.training for module in vit.modules())


def test_inner_and_outer_levels_are_one_model(crops: np.ndarray) -> None:
    model = build("clip")
    # transformers 4 has the level, 5 has not: whichever there is, the other is given to the adapter too
    if hasattr(model, "vision_model"):
        other = model.vision_model
    else:
        other = nn.Module()
        other.vision_model = model
    images = torch.from_numpy(crops)
    name = names.logits(2, "mean")
    with torch.no_grad():
        assert torch.equal(
            record(adapt(model), images, [name])[name], record(adapt(other), images, [name])[name]
        )


def test_a_task_head_is_looked_through(crops: np.ndarray) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    config = transformers.ViTConfig(image_size=48, intermediate_size=40, **SMALL)
    classifier = transformers.ViTForImageClassification(config).eval()
    name, images = names.logits(2, "mean"), torch.from_numpy(crops)
    with torch.no_grad():
        outer, inner = (record(adapt(m), images, [name])[name] for m in (classifier, classifier.vit))
    assert torch.equal(outer, inner)


def test_own_normalisation_can_be_given(crops: np.ndarray) -> None:
    model = build("vit")
    vit = adapt(model, mean=IMAGENET[0], std=IMAGENET[1])
    states = own_states(model, vit, crops, *IMAGENET)
    with torch.no_grad():
        first = next(iter(vit.walk(torch.from_numpy(crops))))
        assert_close(double(first.tokens), states[0].tokens)
    assert "0.485/0.456/0.406" in describe(vit).notes


def test_dinov2_at_another_size(crops: np.ndarray) -> None:
    model = build("dinov2")
    model.config.image_size = 112  # 56 when it was made: its embeddings resample their positions
    vit = adapt(model)
    states = own_states(model, vit, crops, *IMAGENET)
    assert vit.grid == (14, 14)
    with torch.no_grad():
        first = next(iter(vit.walk(torch.from_numpy(crops))))
        assert_close(double(first.tokens), states[0].tokens)


# ---------------------------------------------------------------- timm, as a stand-in with its attributes


class Scale(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((width,), 0.5))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma


class StandInAttention(nn.Module):
    def __init__(self, width: int, heads: int, *, qk_norm: bool, scale_norm: bool) -> None:
        super().__init__()
        self.num_heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.q_norm = nn.LayerNorm(width // heads) if qk_norm else nn.Identity()
        self.k_norm = nn.LayerNorm(width // heads) if qk_norm else nn.Identity()
        self.attn_drop = nn.Dropout(0.1)
        self.norm = nn.LayerNorm(width) if scale_norm else nn.Identity()
        self.proj = nn.Linear(width, width)
        self.proj_drop = nn.Dropout(0.1)
        self.seen: dict[str, Tensor] = {}

    def forward(self, x: Tensor) -> Tensor:
        width = x.shape[-1]
        size = width // self.num_heads
        q, k, v = (self.qkv(x)[..., i * width : (i + 1) * width] for i in range(3))
        mixed, queries, keys, attentions = [], [], [], []
        for h in range(self.num_heads):  # head by head
            here = slice(h * size, (h + 1) * size)
            queries.append(self.q_norm(q[..., here]))
            keys.append(self.k_norm(k[..., here]))
            attentions.append(torch.softmax(queries[h] @ keys[h].mT / size**0.5, dim=-1))
            mixed.append(self.attn_drop(attentions[h]) @ v[..., here])
        self.seen = {"q": torch.stack(queries, 1), "k": torch.stack(keys, 1), "a": torch.stack(attentions, 1)}
        return self.proj_drop(self.proj(self.norm(torch.cat(mixed, dim=-1))))


class StandInBlock(nn.Module):
    def __init__(self, width: int, heads: int, *, scaled: bool, **attention: bool) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = StandInAttention(width, heads, **attention)
        self.ls1 = Scale(width) if scaled else nn.Identity()
        self.drop_path1 = nn.Dropout(0.1)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.Sequential(nn.Linear(width, 40), nn.SiLU(), nn.Linear(40, width))
        self.ls2 = Scale(width) if scaled else nn.Identity()
        self.drop_path2 = nn.Dropout(0.1)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.drop_path1(self.ls1(self.attn(self.norm1(x))))
        return x + self.drop_path2(self.ls2(self.mlp(self.norm2(x))))


class StandInPatches(nn.Module):
    def __init__(self, side: int, patch: int, width: int) -> None:
        super().__init__()
        self.img_size, self.patch_size = (side, side), (patch, patch)
        self.grid_size = (side // patch, side // patch)
        self.proj = nn.Conv2d(3, width, patch, patch)

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(x).flatten(2).transpose(1, 2)


class StandIn(nn.Module):
    """A small module with the attributes and the forward pass of timm's VisionTransformer."""

    def __init__(
        self,
        *,
        class_token: bool = True,
        registers: int = 0,
        no_embed_class: bool = False,
        global_pool: str = "token",
        pre_norm: bool = False,
        scaled: bool = False,
        qk_norm: bool = False,
        scale_norm: bool = False,
        side: int = 48,
    ) -> None:
        super().__init__()
        width, heads, patch, depth = 24, 4, 8, 3
        self.global_pool, self.no_embed_class = global_pool, no_embed_class
        self.num_prefix_tokens = int(class_token) + registers
        self.patch_embed = StandInPatches(side, patch, width)
        n = (side // patch) ** 2 + (0 if no_embed_class else self.num_prefix_tokens)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width)) if class_token else None
        self.reg_token = nn.Parameter(torch.zeros(1, registers, width)) if registers else None
        self.pos_embed = nn.Parameter(torch.zeros(1, n, width))
        self.pos_drop = nn.Dropout(0.1)
        self.patch_drop = nn.Identity()
        self.norm_pre = nn.LayerNorm(width) if pre_norm else nn.Identity()
        kinds = {"scaled": scaled, "qk_norm": qk_norm, "scale_norm": scale_norm}
        self.blocks = nn.Sequential(*(StandInBlock(width, heads, **kinds) for _ in range(depth)))
        pools = global_pool == "avg"
        self.norm = nn.Identity() if pools else nn.LayerNorm(width, eps=1e-6)
        self.fc_norm = nn.LayerNorm(width, eps=1e-6) if pools else nn.Identity()
        self.head = nn.Linear(width, 7)
        randomise(self)

    def _pos_embed(self, x: Tensor) -> Tensor:
        extra = [t.expand(x.shape[0], -1, -1) for t in (self.cls_token, self.reg_token) if t is not None]
        if self.no_embed_class:
            return self.pos_drop(torch.cat([*extra, x + self.pos_embed], dim=1))
        return self.pos_drop(torch.cat([*extra, x], dim=1) + self.pos_embed)

    def forward_features(self, x: Tensor) -> Tensor:
        x = self.norm_pre(self.patch_drop(self._pos_embed(self.patch_embed(x))))
        return self.norm(self.blocks(x))


VARIANTS = {
    "class token": {},
    "no class token, mean pooled": {"class_token": False, "global_pool": "avg"},
    "registers without positions": {"registers": 2, "no_embed_class": True},
    "norm before, LayerScale": {"pre_norm": True, "scaled": True},
    "norms inside the attention": {"qk_norm": True, "scale_norm": True},
    "112 pixels": {"side": 112},
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_timm(variant: str, crops: np.ndarray) -> None:
    model = StandIn(**VARIANTS[variant])
    vit = adapt(model)
    outputs: list[Tensor] = []
    for block in model.blocks:
        block.register_forward_hook(lambda _m, _i, out: outputs.append(out))
    with torch.no_grad():
        model.forward_features(prepared(vit, crops, *HALF))
        for i, state in enumerate(vit.walk(torch.from_numpy(crops))):
            seen = model.blocks[i].attn.seen
            torch.testing.assert_close(state.queries, seen["q"], atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(state.keys, seen["k"], atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(state.attention, seen["a"], atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(state.tokens, outputs[i], atol=1e-5, rtol=1e-5)
    states = [
        LiteralBlock(*(double(block.attn.seen[key]) for key in "qka"), double(out))
        for block, out in zip(model.blocks, outputs, strict=True)
    ]
    norm = model.fc_norm if model.global_pool == "avg" else model.norm
    literal = Foreign(model.num_prefix_tokens, norm)
    card = describe(vit)
    for spec, (want, _) in {
        "vitnt:alpha=2": literal.vitnt(states, [0, 1, 2], 2, "last", "final"),
        "attn": literal.attn(states[-1]),
    }.items():
        method = methods.parse(spec, card)
        got = method.score(TorchEngine(vit, device="cpu").run(crops, method.needs()))
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def test_timm_exports_to_onnx(crops: np.ndarray, graph_of: Callable[..., bytes]) -> None:
    vit = adapt(StandIn(registers=1))
    wanted = (names.step(1, 2, "final"), names.logits(2, "mean"))
    engine = OnnxRuntimeEngine(graph_of("adapted timm", vit, wanted), threads=1)
    with torch.no_grad():
        expected = record(vit, torch.from_numpy(crops), wanted)
    for name, array in engine.run(crops, wanted).items():
        np.testing.assert_allclose(array, expected[name], atol=1e-4 * float(expected[name].abs().max()))


def test_timm_says_its_normalisation_and_origin() -> None:
    model = StandIn()
    model.pretrained_cfg = {  # type: ignore[assignment]
        "mean": IMAGENET[0],
        "std": IMAGENET[1],
        "architecture": "vit_small",
        "hf_hub_id": "timm/vit_small",
        "license": "apache-2.0",
    }
    vit = adapt(model)
    assert (vit.config.mean, vit.config.std) == IMAGENET
    card = describe(vit)
    assert (card.name, card.source, card.licence) == ("vit_small", "timm/vit_small", "apache-2.0")
    assert (card.width, card.heads, card.depth, card.grid) == (24, 4, 3, (6, 6))
    assert not card.exits
    assert not card.embedding


def test_costs_are_those_of_the_same_network_of_ours() -> None:
    card = describe(adapt(StandIn(class_token=False)))
    same = ViTConfig(width=24, depth=3, heads=4, mlp_width=40, image_size=48, patch_size=8)
    assert card.gflops == pytest.approx(flops(same), abs=1e-6)


# ---------------------------------------------------------------- refusals


def test_our_own_network_is_returned_unchanged(make_vit: Callable[..., Any]) -> None:
    vit = make_vit()
    assert adapt(vit) is vit
    with pytest.raises(UsageError, match="mean"):
        adapt(vit, mean=(0, 0, 0))


@pytest.mark.parametrize("wrong", [42, None, np.zeros(3), nn.Linear(2, 2), nn.TransformerEncoderLayer(8, 2)])
def test_another_object_is_refused_by_name(wrong: Any) -> None:
    with pytest.raises(
        UsageError, match=rf"{type(wrong).__name__}.*accepted: .*timm.*CLIPVisionModel.*Dinov2"
    ):
        adapt(wrong)


def test_a_text_model_is_refused() -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    size = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    with pytest.raises(UsageError, match="image_size"):
        adapt(transformers.BertModel(transformers.BertConfig(**size)))


def test_a_model_with_tokens_after_the_patches_is_refused() -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    config = transformers.YolosConfig(
        **SMALL,
        image_size=[48, 48],
        intermediate_size=40,
        num_detection_tokens=5,
        use_mid_position_embeddings=False,
    )
    with pytest.raises(UsageError, match=r"not 1 tokens and 6×6 patches"):
        adapt(transformers.YolosModel(config), mean=HALF[0], std=HALF[1])


def test_a_block_that_computes_something_else_is_refused() -> None:
    class Parallel(StandInBlock):
        def forward(self, x: Tensor) -> Tensor:  # attention and MLP side by side: the same attributes
            return x + self.attn(self.norm1(x)) + self.mlp(self.norm2(x))

    model = StandIn()
    model.blocks[1] = Parallel(24, 4, scaled=False, qk_norm=False, scale_norm=False)
    with pytest.raises(UsageError, match="differs from a plain ViT"):
        adapt(model)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"mean": (0.5, 0.5)}, "three"),
        ({"std": (0.5, 0.0, 0.5)}, "positive"),
    ],
)
def test_a_wrong_normalisation_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        adapt(StandIn(), **given)


def test_an_unknown_model_type_must_be_given_its_normalisation() -> None:
    model = build("vit")
    model.config = SimpleNamespace(**{**model.config.to_dict(), "model_type": "vit_of_tomorrow"})
    with pytest.raises(UsageError, match="give mean="):
        adapt(model)


def test_other_precisions_and_shapes_are_refused() -> None:
    with pytest.raises(UsageError, match=r"torch\.bfloat16.*float\(\)"):
        adapt(StandIn().bfloat16())
    model = StandIn()
    model.patch_embed.img_size = (48, 64)
    with pytest.raises(UsageError, match="square"):
        adapt(model)
