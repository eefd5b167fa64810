"""EX-FIQA and the embedding against the literal heads."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fiqa.errors import UsageError
from fiqa.evidence import Evidence
from fiqa.methods import parse
from fiqa.network import record
from fiqa.types import ModelCard
from methods.cases import CARD, close
from reference.literal import fuse

TRAINING_FREE = ModelCard("recogniser", depth=6, grid=(14, 14))


def test_exits_are_the_whole_head_at_every_block(case):
    vit, literal, states, run = case
    if not vit.has_exits:
        for spec in ("exit:1", "exit", "exit-mean", "exit-depth"):
            with pytest.raises(UsageError, match="use vitnt or attn"):
                run(spec)
        return
    want = np.stack([literal.exit_score(state.tokens) for state in states], axis=1)
    got = np.stack([run(f"exit:{number}")[0] for number in range(1, vit.depth + 1)], axis=1)
    close(got, want)
    np.testing.assert_array_equal(run("exit")[0], got[:, -1])
    close(run("exit-mean")[0], fuse(want, [1] * vit.depth))
    close(run("exit-depth")[0], fuse(want, list(range(1, vit.depth + 1))))
    close(run("exit-mean:exits=2")[0], fuse(want[:, :2], [1, 1]))
    close(run("exit-depth:exits=2")[0], fuse(want[:, :2], [1, 2]))
    assert run("exit-depth")[1] is None


def test_the_embedding_is_the_literal_head(case, crops):
    vit, literal, states, _ = case
    if vit.head is None:
        with pytest.raises(UsageError, match="no recognition head"):
            record(vit, torch.from_numpy(crops[:1]), ["embedding"])
        return
    found = record(vit, torch.from_numpy(crops[:2]), ["embedding"])["embedding"]
    close(found.numpy(), literal.embedding(states[-1].tokens))


def test_depth_weights_of_twelve_exits_are_l_over_78():
    exits = np.random.default_rng(0).normal(size=(3, 12)).astype(np.float32)
    evidence = Evidence({f"exit/{i + 1}": exits[:, i] for i in range(12)}, (14, 14))
    want = sum((i + 1) / 78 * exits[:, i].astype(float) for i in range(12))
    np.testing.assert_allclose(parse("exit-depth", CARD).score(evidence), want, rtol=1e-5)
    np.testing.assert_allclose(parse("exit-mean", CARD).score(evidence), exits.mean(axis=1), rtol=1e-5)


@pytest.mark.parametrize("spec", ["exit:1", "exit-mean", "exit-depth"])
def test_exits_of_a_plain_recogniser_are_refused(spec):
    with pytest.raises(UsageError, match="recogniser does not have; use vitnt or attn"):
        parse(spec, TRAINING_FREE)
