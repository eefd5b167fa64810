"""Quality heads: what an exit's head may read, its form, shared or an exit's own; through every engine."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from fiqa import Scorer, load_checkpoint, save_checkpoint
from fiqa.errors import UsageError
from fiqa.graph import onnx_file
from fiqa.network.config import ViTConfig
from fiqa.network.quality import QualityHead
from fiqa.network.recorder import record
from fiqa.network.vit import ViT
from reference.literal import LiteralViT

TOKEN = {"quality": "token", "quality_token": True, "depth": 3}
FEATURES = [("token",), ("token", "mean"), ("mean",), ("token", "mean", "std"), ("std",)]
FORMS = [
    {**TOKEN, "quality_features": features, "quality_hidden": hidden, "quality_exits": exits}
    for features, hidden, exits in itertools.product(FEATURES, (0, 5), ("shared", "own", "added"))
]
OWN = {**TOKEN, "quality_features": ("token", "mean", "std"), "quality_hidden": 5, "quality_exits": "own"}
ADDED = {**OWN, "quality_exits": "added"}
EXITS = ("exit/1", "exit/2", "exit/3")


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_every_form_is_the_literal_one(form, make_vit, crops):
    vit = make_vit(4, **form)
    literal = LiteralViT(vit)
    states = literal.run(crops)
    found = record(vit, torch.from_numpy(crops), EXITS)
    before = 0.0
    for number, state in enumerate(states, 1):
        want = literal.exit_score(state.tokens, number)
        if form["quality_exits"] == "added":
            want = before = before + want
        np.testing.assert_allclose(found[f"exit/{number}"], want, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_every_form_comes_back_from_its_file(form, make_vit, crops, tmp_path):
    vit = make_vit(5, **form)
    save_checkpoint(vit, tmp_path / "a.safetensors")
    back = load_checkpoint(tmp_path / "a.safetensors", keep="exits")
    assert back.config == vit.config
    one, other = (record(network, torch.from_numpy(crops), EXITS) for network in (vit, back))
    assert all(torch.equal(one[name], other[name]) for name in EXITS)


@pytest.mark.parametrize("engine", ["torch", "onnxruntime", "openvino"])
def test_every_engine_gives_the_same_exits(engine, make_vit, crops, tmp_path):
    pytest.importorskip("onnxscript", reason="exporting needs the export extra")
    pytest.importorskip(engine)
    vit = make_vit(6, **ADDED)
    want = record(vit, torch.from_numpy(crops), EXITS)
    got = Scorer(vit, [f"exit:{n}" for n in (1, 2, 3)], engine=engine, align="none").score_crops(crops)
    for number in (1, 2, 3):
        np.testing.assert_allclose(got[f"exit:{number}"], want[f"exit/{number}"], rtol=1e-4, atol=1e-4)


def test_an_early_exit_runs_its_blocks_only(make_vit, crops, graph_of):
    vit = make_vit(7, **ADDED)
    ran = []
    for i, block in enumerate(vit.blocks):
        block.mlp.register_forward_hook(lambda *_, i=i: ran.append(i))
    record(vit, torch.from_numpy(crops), ["exit/2"])
    assert ran == [0, 1]
    whole = graph_of("added heads", vit)
    assert set(EXITS) <= set(onnx_file.outputs(whole))
    cut = [len(onnx_file.prune(whole, [name])) for name in EXITS]
    assert cut[0] < cut[1] < cut[2]


def test_a_head_of_its_own_is_asked_for_by_number(make_vit):
    vit = make_vit(8, **OWN)
    tokens = torch.randn(2, vit.config.n_prefix + vit.config.n_patches, vit.config.width)
    assert vit.exit_score(tokens, 1).shape == (2,)
    assert not torch.equal(vit.exit_score(tokens, 1), vit.exit_score(tokens, 2))
    with pytest.raises(UsageError, match="say which exit"):
        vit.exit_score(tokens)


def test_a_deep_exit_alone_is_the_one_that_came_with_the_others(make_vit, crops):
    vit = make_vit(9, **ADDED)
    together = record(vit, torch.from_numpy(crops), EXITS)
    for name in EXITS:
        assert torch.equal(record(vit, torch.from_numpy(crops), [name])[name], together[name])
    tokens = torch.randn(2, vit.config.n_prefix + vit.config.n_patches, vit.config.width)
    with pytest.raises(UsageError, match="exit 2 needs the score before it"):
        vit.exit_score(tokens, 2)


def test_the_linear_head_on_the_token_keeps_the_keys_of_published_files():
    assert set(QualityHead(8).state_dict()) == {
        "norm.weight",
        "norm.bias",
        "norm.running_mean",
        "norm.running_var",
        "norm.num_batches_tracked",
        "project.weight",
    }
    keys = ViT(ViTConfig(width=16, heads=2, mlp_width=8, **TOKEN)).state_dict()
    assert "quality_head.project.weight" in keys


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"quality_features": ()}, "each once, but got none"),
        ({"quality_features": ("token", "token")}, "each once, but got token, token"),
        ({"quality_features": ("max",)}, "some of token, mean, std, each once, but got max"),
        ({"quality_hidden": -1}, "quality_hidden must be whole numbers from 0 to 65536, but got -1"),
        ({"quality_exits": "each"}, "quality_exits must be one of shared, own, added, but got 'each'"),
        ({"quality": None, "quality_hidden": 4}, "or set quality='token' in place of None"),
        ({"quality": "embedding", "head": "mean", "quality_exits": "own"}, "in place of 'embedding'"),
    ],
)
def test_a_head_that_can_not_be_is_refused(change, message):
    with pytest.raises(UsageError, match=message):
        ViTConfig(**{"width": 16, "heads": 2, "mlp_width": 8, **TOKEN, **change})
