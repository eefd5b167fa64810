"""A folder of crops that many tests of the command line score."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.cli.runs import N_MANY

from fiqa.examples import example_crops


@pytest.fixture(scope="session")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of crops, with a file that is no image after every nineteen of them, and one strange name."""
    folder = tmp_path_factory.mktemp("many")
    crops, rng = example_crops(), np.random.default_rng(0)
    for number in range(N_MANY):
        file = folder / f"{number:05d}.png"
        if number % 20 == 19:
            file.write_text("no image")
            continue
        crop = np.roll(crops[number % 2], rng.integers(-9, 9, 2), axis=(0, 1)) * rng.uniform(0.4, 1)
        Image.fromarray(crop.astype(np.uint8)).save(file, compress_level=0)
    Image.fromarray(crops[0]).save(folder / 'a,"b\nc.png')
    return folder
