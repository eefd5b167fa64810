"""ViTNT-FIQA against the literal formula, and where it must stay finite."""

from __future__ import annotations

import numpy as np
import pytest

from fiqa.errors import UsageError
from fiqa.evidence import Evidence
from fiqa.methods import parse
from fiqa.types import ModelCard
from methods.cases import close


@pytest.mark.parametrize("norm", ["final", "none"])
@pytest.mark.parametrize("weighting", ["uniform", "last", "mean"])
def test_vitnt_is_the_literal_formula(case, weighting, norm):
    vit, literal, states, run = case
    last = vit.depth - 1
    everything = list(range(vit.depth))
    for numbers, alpha in ((everything, 8.0), ([0, 1], 3.5), ([0, last], 1.0), ([1, last], 20.0)):
        blocks = ",".join(map(str, numbers))
        score, patch_map = run(f"vitnt:blocks={blocks},alpha={alpha},weighting={weighting},norm={norm}")
        want, want_map = literal.vitnt(states, numbers, alpha, weighting, norm)
        close(score, want)
        close(patch_map, want_map.reshape(-1, *vit.grid))
        assert ((patch_map > 0) & (patch_map <= 1)).all()


def test_vitnt_of_patches_that_do_not_move_is_one():
    still = np.zeros((2, 4), dtype=np.float32)
    evidence = Evidence({"step/0-1/final": still}, (2, 2))
    card = ModelCard("two", depth=2, grid=(2, 2))
    np.testing.assert_array_equal(parse("vitnt:weighting=uniform", card).score(evidence), 1)


def test_scores_stay_finite_at_the_largest_distance_and_a_steep_alpha():
    far = np.full((1, 4), 2, dtype=np.float32)
    evidence = Evidence({"step/0-1/final": far}, (2, 2))
    score = parse("vitnt:weighting=uniform,alpha=40", ModelCard("two", depth=2, grid=(2, 2))).score(evidence)
    assert 0 <= score[0] < 1e-30


def test_one_block_has_no_transition():
    with pytest.raises(UsageError, match="only one"):
        parse("vitnt", ModelCard("shallow", depth=1, grid=(2, 2)))
