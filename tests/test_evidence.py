"""The names that cross the seam, and the container that carries them."""

from __future__ import annotations

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
    assert names.last_block(names.step(block, block + gap, norm), 200) == block + gap
    assert names.last_block(names.state(block, norm), 200) == block
    assert names.last_block(names.received(block), 200) == block
    assert names.last_block(names.logits(block, reduce), 200) == block
    assert names.last_block(names.exit_(block + 1), 200) == block
    assert names.last_block(names.EMBEDDING, block + 1) == block


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
        names.last_block(name, 12)


def test_names_are_unique_in_order_and_within_the_network():
    assert names.check_names(["exit/2", "embedding", "exit/2"], 2) == ("exit/2", "embedding")
    with pytest.raises(UsageError, match=r"'exit/3' reads a block that this network of 2 blocks"):
        names.check_names(["exit/3"], 2)


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
