"""What the tests of recognisers share."""

from __future__ import annotations

import numpy as np


def random_crops(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, 112, 112, 3), dtype=np.uint8)
