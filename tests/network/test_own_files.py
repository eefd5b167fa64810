"""Our own files: weights, config and card, there and back."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from tests.network.checkpoint_files import safetensors_torch, same, save

from fiqa.errors import CheckpointMismatch, DataError, UsageError
from fiqa.methods import needs, parse
from fiqa.network import describe, load_checkpoint, record, save_checkpoint

OWN = {
    "patch": {"head": "flatten", "embedding": 6},
    "conv": {
        "stem": "conv",
        "patch_size": 8,
        "activation": "gelu",
        "qkv_bias": True,
        "head": "mean",
        "embedding": 6,
    },
    "convnext": {"stem": "convnext", "patch_size": 8, "stem_widths": (4, 6), "stem_depths": (1, 1)},
    "token": {"quality": "token", "quality_token": True},
    "full": {
        "quality": "embedding",
        "quality_token": True,
        "head_sees_prefix": True,
        "head": "flatten",
        "embedding": 6,
    },
}


@pytest.mark.parametrize("name", OWN)
def test_a_saved_network_comes_back(name, make_vit, crops, tmp_path):
    vit = make_vit(1, **OWN[name])
    path = tmp_path / "own.safetensors"
    save_checkpoint(vit, path)
    back = load_checkpoint(path)
    assert back.config == vit.config
    assert same(back, vit)
    assert back.card.depth == vit.depth
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", OWN)
def test_float16_keeps_the_scores_to_its_own_precision(name, make_vit, crops, tmp_path):
    vit = make_vit(1, **OWN[name])
    save_checkpoint(vit, tmp_path / "half.safetensors", half=True)
    back = load_checkpoint(tmp_path / "half.safetensors")
    for key, tensor in back.state_dict().items():
        if tensor.is_floating_point():
            assert torch.equal(tensor, vit.state_dict()[key].half().float())
    methods = [
        parse(spec, describe(vit)) for spec in (["exit-depth"] if vit.has_exits else []) + ["vitnt", "attn"]
    ]
    images = torch.from_numpy(crops)
    want, got = record(vit, images, needs(methods)), record(back, images, needs(methods))
    for key, values in want.items():
        np.testing.assert_allclose(got[key], values, atol=0.02 * float(values.abs().max()))
    assert (tmp_path / "half.safetensors").stat().st_size < 2.6 * sum(
        t.numel() for t in vit.parameters()
    ) + 9000


def test_a_card_travels_with_the_weights(make_vit, tmp_path):
    from dataclasses import replace

    vit = make_vit(0)
    vit.card = replace(
        describe(vit), name="ours", licence="Apache-2.0", defaults={"vitnt": "vitnt:blocks=0-1"}
    )
    save_checkpoint(vit, tmp_path / "a.safetensors")
    assert load_checkpoint(tmp_path / "a.safetensors").card == vit.card


def _own(make_vit, path, change):
    vit = make_vit(0)
    metadata = {"fiqa.config": json.dumps(change), "fiqa.card": describe(vit).to_json()}
    safetensors_torch.save_file({k: t.clone() for k, t in vit.state_dict().items()}, path, metadata=metadata)
    return path


CONFIG = {"width": 16, "depth": 3, "heads": 2, "mlp_width": 24, "patch_size": 16}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"depth": 2}, r"11 are unexpected, first 'blocks.2."),
        ({"depth": 4}, r"missing, first 'blocks.3.norm1.weight'"),
        ({"mlp_width": 25}, r"'blocks.0.mlp.fc1.weight' is \(24, 16\), not \(25, 16\)"),
        ({"patch_size": 8}, "another shape"),
        ({"head": "mean", "embedding": 4}, r"missing, first 'head.project.weight'"),
    ],
)
def test_metadata_that_does_not_fit_the_tensors_is_a_mismatch(change, message, make_vit, tmp_path):
    path = _own(make_vit, tmp_path / "own.safetensors", {**CONFIG, **change})
    with pytest.raises(CheckpointMismatch, match=message):
        load_checkpoint(path)


@pytest.mark.parametrize("change", [{"colour": 1}, {"heads": 3}, {"heads": "two"}])
def test_metadata_that_is_no_config_is_a_data_error(change, make_vit, tmp_path):
    with pytest.raises(DataError, match="metadata can't be read"):
        load_checkpoint(_own(make_vit, tmp_path / "own.safetensors", {**CONFIG, **change}))


def test_metadata_and_heads_must_agree(make_vit, tmp_path):
    path = _own(make_vit, tmp_path / "own.safetensors", CONFIG)
    assert load_checkpoint(path, heads=2).config.heads == 2
    with pytest.raises(UsageError, match="says it has 2 heads, but got heads=4"):
        load_checkpoint(path, heads=4)
    with pytest.raises(UsageError, match="says it has 2 heads, but got heads=8"):
        load_checkpoint(path, preset="arcface-vit-s")


def test_our_layout_without_its_metadata_is_refused(make_vit, tmp_path):
    with pytest.raises(CheckpointMismatch, match="carries its config as metadata"):
        load_checkpoint(save(make_vit(0).state_dict(), tmp_path), heads=2)
