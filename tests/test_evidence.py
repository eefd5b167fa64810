"""The names that cross the seam, and the container that carries them."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiqa import evidence as names
from fiqa.errors import UsageError
from fiqa.evidence import Evidence


@given(
    st.integers(0, 50), st.integers(1, 50), st.sampled_from(names.NORMS), st.sampled_from(names.REDUCTIONS)
)
def test_every_name_tells_the_deepest_block_it_reads(block, gap, norm, reduce):
    assert names.step(block, block + gap, norm).last_block(200) == block + gap
    assert names.state(block, norm).last_block(200) == block
    assert names.received(block).last_block(200) == block
    assert names.logits(block, reduce).last_block(200) == block
    assert names.exit_(block + 1).last_block(200) == block
    assert names.EMBEDDING.last_block(block + 1) == block


@pytest.mark.parametrize(
    "name",
    [
        "",
        "exit",
        "exit/",
        "exit/x",
        "exit/1/final",
        "exit/-1",
        "exit/0",
        "exit/²",
        "exit/07",
        "exit/" + "9" * 5000,
        "step/0/final",
        "step/0-1",
        "step/0-1/last",
        "step/1-1/final",
        "step/4-0/final",
        "state/0",
        "state/0-1/final",
        "logits/0",
        "logits/0/sum",
        "logits/0/final",
        "received/0/mean",
        "received/0-1",
        "embedding/3",
        "score",
    ],
)
def test_anything_else_is_no_name(name):
    with pytest.raises(UsageError, match=r"but got|no evidence is called"):
        names.Name(name)


def test_names_are_unique_in_order_and_within_the_network():
    assert names.read_names(["exit/2", "embedding", "exit/2"], 2) == ("exit/2", "embedding")
    with pytest.raises(UsageError, match=r"'exit/3' reads a block that this network of 2 blocks"):
        names.read_names(["exit/3"], 2)


def test_evidence_is_a_mapping_of_one_batch():
    evidence = Evidence(
        {"exit/1": np.zeros(3, np.float32), "received/0": np.zeros((3, 6), np.float32)}, (2, 3)
    )
    assert evidence.n_crops == 3
    assert list(evidence) == ["exit/1", "received/0"]
    assert len(evidence) == 2
    assert "exit/1" in evidence
    with pytest.raises(KeyError, match="exit/2 was not asked for; there are exit/1, received/0"):
        evidence["exit/2"]


def test_arrays_of_different_lengths_are_no_batch():
    with pytest.raises(UsageError, match=r"equally long, but got lengths \[2, 3\]"):
        Evidence({"exit/1": np.zeros(3, np.float32), "exit/2": np.zeros(2, np.float32)}, (2, 3))


def test_patches_go_row_by_row():
    values = np.arange(12).reshape(2, 6)
    on_grid = Evidence({}, (2, 3)).on_grid(values)
    assert on_grid.dtype == np.float32
    assert on_grid.tolist() == [[[0, 1, 2], [3, 4, 5]], [[6, 7, 8], [9, 10, 11]]]


@given(
    st.sampled_from(["step/0-4/final", "received/3", "logits/2/max", "exit/1", "embedding", "state/5/none"])
)
def test_a_name_is_its_text_and_reads_it_once(text):
    name = names.Name(text)
    assert name == text
    assert hash(name) == hash(text)
    assert repr(name) == repr(text)
    assert names.Name(name) is name
    back = pickle.loads(pickle.dumps(name))
    assert (back, back.kind, back.block, back.before, back.how) == (
        *(name, name.kind, name.block, name.before, name.how),
    )


def test_a_step_knows_its_ends():
    assert names.step(1, 4, "none").ends == ("state/1/none", "state/4/none")
    assert names.exit_(3).ends == ()
