"""The losses against literal formulas in NumPy."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from objectives import CosFace, contrast, correlation, dense, exit_quality, locality


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=1, keepdims=True)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.integers(3, 40))
def test_correlation_is_pearsons(seed: int, n: int) -> None:
    a, b = np.random.default_rng(seed).standard_normal((2, n))
    ours = correlation(torch.from_numpy(a), torch.from_numpy(b))
    np.testing.assert_allclose(ours, np.corrcoef(a, b)[0, 1], atol=1e-5)


def test_contrast_is_the_cross_entropy_of_the_own_teacher() -> None:
    rng = np.random.default_rng(0)
    e, t = unit(rng.standard_normal((6, 8))), unit(rng.standard_normal((6, 8)))
    logits = 20 * e @ t.T
    expected = -np.mean(np.diag(logits) - np.log(np.exp(logits).sum(1)))
    ours = contrast(torch.from_numpy(e), torch.from_numpy(t), torch.tensor(20.0))
    np.testing.assert_allclose(ours, expected, rtol=1e-6)


def test_dense_compares_the_mean_of_a_cell_whatever_the_order_of_tokens() -> None:
    g = torch.Generator().manual_seed(0)
    teacher = torch.randn(2, 5, 7, 7, generator=g)
    fine = teacher.repeat_interleave(2, 2).repeat_interleave(2, 3)  # each cell's value at its four tokens
    tokens = fine.flatten(2).transpose(1, 2)
    assert dense(tokens, teacher, None) < 1e-12
    by_group = teacher.flatten(2).transpose(1, 2).repeat_interleave(2, 1)  # two tokens of each group
    assert dense(by_group, teacher, torch.zeros(2, 98)) < 1e-12
    assert dense(tokens.flip(1), teacher, None) > 0.1


def test_locality_knows_where_and_nothing_of_the_whole() -> None:
    spoilt = torch.zeros(3, 8)
    spoilt[1, :2] = 1
    quality = torch.tensor([[1.0], [3.0], [5.0]])  # of the whole view
    torch.testing.assert_close(locality(quality - 1.5 * spoilt, spoilt), torch.tensor(1.0))
    torch.testing.assert_close(locality(quality + spoilt, spoilt), torch.tensor(-1.0))
    everywhere = spoilt[1].expand(3, 8)  # a map that is low at the same place in all views
    assert 0 < locality(-everywhere, spoilt) < 0.6


def test_deeper_exits_weigh_more() -> None:
    label = torch.zeros(4)
    first, last = torch.zeros(3, 4), torch.zeros(3, 4)
    first[0], last[2] = 1, 1
    assert torch.isclose(exit_quality(last, label), 3 * exit_quality(first, label))


def test_cosface_and_the_label_of_cr_fiqa() -> None:
    torch.manual_seed(0)
    head = CosFace(8, 5, margin=0.35, scale=32.0)
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((7, 8)).astype(np.float32), rng.integers(0, 5, 7)
    loss, label = head(torch.from_numpy(x), torch.from_numpy(y))
    cos = unit(x) @ unit(head.centres.detach().numpy()).T
    rows = np.arange(7)
    logits = 32 * cos
    logits[rows, y] -= 32 * 0.35
    expected = -np.mean(logits[rows, y] - np.log(np.exp(logits).sum(1)))
    np.testing.assert_allclose(loss.item(), expected, rtol=1e-4)
    others = cos.copy()
    others[rows, y] = -2
    np.testing.assert_allclose(label, cos[rows, y] / (others.max(1) + 1 + 1e-9), rtol=1e-4)
    assert not label.requires_grad
