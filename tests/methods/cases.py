"""What the tests of several methods share: a card, and how close is close."""

from __future__ import annotations

import numpy as np

from fiqa.types import ModelCard

CARD = ModelCard("net", depth=12, grid=(14, 14), exits=True)


def close(got, want, tolerance=1e-4):
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance * np.abs(want).max())
