"""The network against its literal twin; what runs when; what it costs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fiqa.errors import UsageError
from fiqa.network import ViT, ViTConfig, flops
from reference.literal import LiteralViT, resize_bilinear

# Published cost of the exits of ViT-FIQA (C), ViT-S at patch 9, recognition head included.
PAPER_GFLOPS = (1.06, 2.01, 2.96, 3.91, 4.85, 5.80, 6.75, 7.70, 8.65, 9.60, 10.54, 11.49)
VIT_S = ViTConfig(width=512, depth=12, heads=8, mlp_width=2048, patch_size=9)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    "config",
    [
        {"depth": 1, "width": 8, "heads": 8},
        {"depth": 6, "width": 24, "heads": 3, "patch_size": 14},
        {"patch_size": 10, "activation": "gelu", "qkv_bias": True},
        {"quality": "token", "quality_token": True},
        {"stem": "convnext", "patch_size": 8, "stem_widths": (4, 8), "stem_depths": (1, 1)},
    ],
    ids=str,
)
def test_every_block_is_the_literal_one(config, seed, make_vit, crops):
    vit = make_vit(seed, **config)
    want = LiteralViT(vit).run(crops[:2])
    with torch.inference_mode():
        for state, literal in zip(vit.walk(torch.from_numpy(crops[:2])), want, strict=True):
            for name in ("queries", "keys", "attention", "tokens"):
                got, expected = getattr(state, name).numpy(), getattr(literal, name)
                np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def test_the_order_of_reading_changes_nothing(make_vit, crops):
    vit, images = make_vit(0), torch.from_numpy(crops)
    with torch.inference_mode():
        tokens_only = [state.tokens for state in vit.walk(images)]
        attention_first = [(state.attention, state.tokens)[1] for state in vit.walk(images)]
        kept = [state.tokens for state in vit.walk(images, attention={0, 2})]
    for one, other, manual in zip(tokens_only, attention_first, kept, strict=True):
        assert torch.equal(one, other)
        torch.testing.assert_close(one, manual, rtol=1e-4, atol=1e-4)


def test_attention_that_is_kept_is_computed_once(make_vit, crops, monkeypatch):
    vit, fused = make_vit(0), []
    kernel = torch.nn.functional.scaled_dot_product_attention
    monkeypatch.setattr(
        torch.nn.functional, "scaled_dot_product_attention", lambda *qkv: fused.append(1) or kernel(*qkv)
    )
    for state in vit.walk(torch.from_numpy(crops), attention={1}):
        n_before = len(fused)
        _ = state.tokens, state.attention
        assert len(fused) - n_before == (state.index != 1)


def test_colours_are_rgb_and_normalised_by_mean_and_std(make_vit):
    vit = make_vit(0, mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 0.125))
    crop = torch.zeros(1, 112, 112, 3, dtype=torch.uint8)
    crop[..., 0] = 255
    pixel = vit.normalise(crop)[0, :, 50, 50]
    torch.testing.assert_close(pixel, torch.tensor([(1 - 0.1) / 0.5, -0.2 / 0.25, -0.3 / 0.125]))


@pytest.mark.parametrize("side", [56, 112, 160, 224])
def test_other_input_sizes_are_resampled_bilinearly(side, make_vit, crops):
    vit = make_vit(0, image_size=side, patch_size=side // 4)
    got = vit.normalise(torch.from_numpy(crops)).permute(0, 2, 3, 1)
    np.testing.assert_allclose(got, resize_bilinear(crops / 127.5 - 1, side), atol=5e-5)


def _count(vit: ViT) -> dict[str, list[int]]:
    """Which blocks ran their projections, and which their MLP, from now on."""
    ran: dict[str, list[int]] = {"qkv": [], "mlp": []}
    for i, block in enumerate(vit.blocks):
        block.attn.qkv.register_forward_hook(lambda *_, i=i: ran["qkv"].append(i))
        block.mlp.register_forward_hook(lambda *_, i=i: ran["mlp"].append(i))
    return ran


def test_leaving_the_walk_is_an_early_exit(make_vit, crops):
    vit = make_vit(0, depth=5)
    ran = _count(vit)
    for state in vit.walk(torch.from_numpy(crops)):
        if state.index == 2:
            _ = state.tokens
            break
    assert ran == {"qkv": [0, 1, 2], "mlp": [0, 1, 2]}


def test_reading_only_the_keys_runs_no_mlp(make_vit, crops):
    vit = make_vit(0, depth=3)
    ran = _count(vit)
    for state in vit.walk(torch.from_numpy(crops)):
        if state.index == 2:
            _ = state.keys
            break
    assert ran == {"qkv": [0, 1, 2], "mlp": [0, 1]}


@pytest.mark.parametrize("prefix", [False, True])
def test_folded_exits_equal_unfolded_ones(prefix, make_vit, crops):
    config = {"quality": "embedding", "head": "flatten", "embedding": 12, "quality_token": prefix}
    vit = make_vit(3, **config, head_sees_prefix=prefix)
    tokens = [vit.norm(state.tokens) for state in vit.walk(torch.from_numpy(crops))]
    before = torch.stack([vit.exit_score(t, n) for n, t in enumerate(tokens, 1)])
    n_tokens = vit.config.n_patches + prefix
    vit.fold(keep_head=False)
    assert vit.exit_weight.shape == (n_tokens, vit.config.width)
    assert vit.head is None
    assert vit.has_exits
    after = torch.stack([vit.exit_score(t, n) for n, t in enumerate(tokens, 1)])
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-5)


def test_folding_never_loses_the_exits(make_vit, crops):
    vit = make_vit(0, quality="embedding", head="mean", embedding=8)
    tokens = torch.randn(2, vit.config.n_patches, vit.config.width)
    before = vit.exit_score(tokens)
    assert vit.fold(keep_head=False).has_exits
    torch.testing.assert_close(vit.exit_score(tokens), before)


def test_what_a_network_does_not_have_is_said(make_vit):
    vit = make_vit(0)
    tokens = torch.zeros(1, vit.config.n_patches, vit.config.width)
    with pytest.raises(UsageError, match="no recognition head"):
        vit.embedding(tokens)
    with pytest.raises(UsageError, match="regresses no quality"):
        vit.exit_score(tokens)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"heads": 3}, "16 is not a multiple of the number of heads 3"),
        ({"depth": 0}, "at least 1"),
        ({"quality": "token"}, "needs quality_token"),
        ({"quality": "embedding"}, "needs a recognition head"),
        ({"patch_size": 113}, "a patch of 113 pixels does not fit an image of 112"),
        ({"patch_size": 0}, "a patch of 0 pixels does not fit"),
        ({"stem": "conv", "patch_size": 16}, "a conv stem has patches of 8 pixels"),
        ({"stem": "convnext", "patch_size": 8, "image_size": 100}, "a multiple of 16, but got 8 and 100"),
        ({"stem": "linear"}, "stem must be one of patch, conv, convnext, but got 'linear'"),
        ({"stem": "convnext", "stem_widths": (4,)}, "two or three stages"),
        ({"stem": "convnext", "stem_widths": (4, 8, 8)}, "two or three stages"),
    ],
)
def test_a_config_that_fixes_no_network_is_refused(change, message):
    with pytest.raises(UsageError, match=message):
        ViT(ViTConfig(**{"width": 16, "depth": 1, "heads": 2, "mlp_width": 8, **change}))


def test_flops_are_the_paper_s_figures():
    head = 2 * (73728 * 512 + 512 * 512) / 1e9
    for ours, paper in zip(flops(VIT_S), PAPER_GFLOPS, strict=True):
        assert ours + head == pytest.approx(paper, abs=0.011)


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"patch_size": 9, "quality": "token", "quality_token": True},
        {"stem": "conv", "patch_size": 8},
        {"stem": "convnext", "patch_size": 8},
        {
            "stem": "convnext",
            "patch_size": 8,
            "stem_widths": (4, 8, 12),
            "stem_depths": (1, 2, 1),
            "stem_kernels": (3, 5, 7),
        },
    ],
    ids=str,
)
def test_flops_are_those_that_torch_counts(config, make_vit, crops):
    from torch.utils.flop_counter import FlopCounterMode

    vit = make_vit(0, **config)
    counter = FlopCounterMode(display=False)
    one = torch.from_numpy(crops[:1])
    with counter, torch.no_grad():
        for state in vit.walk(one, attention=range(vit.depth)):  # the fused kernel is not always counted
            _ = state.tokens
    assert flops(vit.config)[-1] == pytest.approx(counter.get_total_flops() / 1e9, rel=1e-6)
