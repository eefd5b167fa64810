"""ATTN-FIQA against the literal formula; its map explains its score."""

from __future__ import annotations

import numpy as np
import pytest

from methods.cases import close


@pytest.mark.parametrize("reduce", ["mean", "median", "max", "inverse-std"])
def test_attn_is_the_literal_formula(case, reduce):
    vit, literal, states, run = case
    blocks = range(vit.depth) if reduce == "mean" else (vit.depth - 1,)
    for block in blocks:
        score, patch_map = run(f"attn:reduce={reduce},block={block}")
        want, want_map = literal.attn(states[block], reduce)
        close(score, want)
        if reduce in ("mean", "max"):
            close(patch_map, want_map.reshape(-1, *vit.grid))
        else:
            assert patch_map is None


def test_attn_reads_the_last_block_unless_told_otherwise(case):
    vit, _, _, run = case
    np.testing.assert_array_equal(run("attn")[0], run(f"attn:block={vit.depth - 1}")[0])


def test_the_attn_map_averages_exactly_to_the_score(case):
    _, _, _, run = case
    score, patch_map = run("attn")
    np.testing.assert_array_equal(score, patch_map.reshape(len(score), -1).mean(axis=1))
