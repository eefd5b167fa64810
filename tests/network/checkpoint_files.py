"""Checkpoints that tests write."""

from __future__ import annotations

import pytest
import torch

safetensors_torch = pytest.importorskip("safetensors.torch")


HEADS = 4


def save(values, folder, name="model.pt"):
    path = folder / name
    torch.save(values, path)
    return path


def same(one, other):
    a, b = one.state_dict(), other.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)
