"""Checkpoints that tests write."""

from __future__ import annotations

import pytest
import torch


@pytest.fixture
def state(golden_path):
    """The state dict of the small recogniser in CVLface layout, as published: under 'net.'."""
    return torch.load(golden_path("fr_vit"), weights_only=True)
