"""Networks of timm, as a stand-in with its attributes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from tests.network.foreign import (
    HALF,
    IMAGENET,
    Foreign,
    StandIn,
    double,
    prepared,
)
from torch import Tensor

from fiqa import evidence as names
from fiqa import methods
from fiqa.engines import OnnxRuntimeEngine, TorchEngine
from fiqa.network import adapt, describe, record
from reference.literal import LiteralBlock

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
