"""The published numbers, on every engine."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engines.cases import NEEDED, open_engine
from fiqa import engines
from fiqa.methods import parse


@pytest.fixture(scope="module", params=engines.ENGINES)
def on_golden(request, golden_vit, graph_of, golden):
    """name of a reference network → (its arrays, spec → its method's result, its evidence) on one engine."""

    def opened(name):
        vit, arrays = golden_vit(name), golden(name)
        engine = open_engine(request.param, vit, lambda: graph_of(name, vit, NEEDED[name]))
        evidence = engine.run(arrays["images_rgb"], NEEDED[name])
        return arrays, evidence, lambda spec: parse(spec, engine.card)

    return opened


def _meets(got, want):
    """Within 1e-4 of the reference, relative to its largest value."""
    assert got.shape == want.shape
    assert np.abs(got - want).max() <= 1e-4 * np.abs(want).max()


def test_the_recogniser_s_published_numbers_are_met(on_golden):
    arrays, evidence, method = on_golden("fr_vit")
    seen = {"images_rgb", "prefix_blocks"}
    prefix = ",".join(map(str, arrays["prefix_blocks"]))
    for which, blocks in (("all", "all"), ("prefix", prefix)):
        for weighting in ("uniform", "last", "mean"):
            for alpha in (8.0, 3.5):
                key = f"vitnt.{which}.{weighting}.a{alpha}"
                vitnt = method(f"vitnt:blocks={blocks},weighting={weighting},alpha={alpha}")
                _meets(vitnt.score(evidence), arrays[key])
                seen.add(key)
    attn = method("attn")
    _meets(attn.score(evidence), arrays["attn.score"])
    _meets(attn.patch_map(evidence).reshape(len(evidence["embedding"]), -1), arrays["attn.map"])
    assert seen | {"attn.score", "attn.map"} == set(arrays)


@pytest.mark.parametrize("mode", ["token", "crfiqa", "full"])
def test_the_exits_published_numbers_are_met(mode, on_golden):
    arrays, evidence, method = on_golden(f"vitfiqa_{mode}")
    exits = np.stack([method(f"exit:{number}").score(evidence) for number in range(1, 7)], axis=1)
    _meets(exits, arrays["exits"])
    _meets(method("exit-mean").score(evidence), arrays["fused_mean"])
    _meets(method("exit-depth").score(evidence), arrays["fused_depth_weighted"])
    seen = {"images_rgb", "exits", "fused_mean", "fused_depth_weighted"}
    if mode != "token":  # whose head is left out of the fixtures
        _meets(evidence["embedding"], arrays["embeddings"][:, -1])
        seen.add("embeddings")
    assert set(arrays) == seen


@pytest.mark.parametrize("mode", ["crfiqa", "full"])
def test_the_embedding_of_every_exit_is_the_published_one(mode, golden_vit, golden):
    vit, arrays = golden_vit(f"vitfiqa_{mode}"), golden(f"vitfiqa_{mode}")
    with torch.inference_mode():
        states = vit.walk(torch.from_numpy(arrays["images_rgb"]))
        found = torch.stack([vit.embedding(vit.norm(state.tokens)) for state in states], dim=1)
    _meets(found.numpy(), arrays["embeddings"])
