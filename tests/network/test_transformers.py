"""Networks of transformers: each against the model's own hidden states and attention."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from tests.network.foreign import (
    HALF,
    IMAGENET,
    SMALL,
    Foreign,
    build,
    double,
    prepared,
)
from torch import Tensor, nn

from fiqa import evidence as names
from fiqa import methods
from fiqa.engines import OnnxRuntimeEngine, TorchEngine
from fiqa.network import ViT, adapt, describe, record
from reference.literal import LiteralBlock

CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))


def assert_close(got: np.ndarray, want: np.ndarray) -> None:
    """Equal to 1e-5 of the largest value: sums of float32 in another order differ by that scale."""
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-5 * max(1, np.abs(want).max()))


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
