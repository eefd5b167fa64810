"""What the tests of the scorer share."""

from __future__ import annotations

import numpy as np
import pytest
from tests.scorer.cases import SHALLOW

from fiqa import Scorer
from fiqa.examples import example_crops


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer(methods=SHALLOW, engine="onnxruntime", threads=1)


@pytest.fixture(scope="module")
def faces() -> np.ndarray:
    """(9, 112, 112, 3): the example faces, and seven that differ in light and noise."""
    first, second = example_crops()
    rng = np.random.default_rng(3)
    noisy = [np.clip(first * (0.3 + 0.1 * i) + rng.normal(0, 6 * i, first.shape), 0, 255) for i in range(7)]
    return np.stack([first, second, *noisy]).astype(np.uint8)
