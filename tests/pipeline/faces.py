"""A scorer without a network, crops that each have a score of their own, and tables as rows."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import fiqa
from fiqa.evidence import Evidence
from fiqa.types import ModelCard


class MeanEngine:
    """An engine whose only exit is the mean of the pixels."""

    name, precision = "mean", "fp32"
    card = ModelCard(name="mean", depth=1, grid=(1, 1), exits=True)

    def run(self, crops, wanted):
        means = crops.reshape(len(crops), -1).mean(axis=1, dtype=np.float64)
        return Evidence({name: means.astype(np.float32) for name in wanted}, (1, 1))


def mean_scorer(**settings: Any) -> fiqa.Scorer:
    return fiqa.Scorer(methods=["exit:1"], engine=MeanEngine(), align="none", threads=1, **settings)


def png(number: int) -> bytes:
    """A crop, as a file, whose mean no other number below 700,000 has."""
    pixels = np.zeros((112, 112, 3), dtype=np.uint8)
    flat = pixels.reshape(-1)
    flat[: number % 1000] = 255
    flat[-1], flat[-2] = number // 1000 % 251, number // 251000
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "png", compress_level=1)
    return data.getvalue()


def write_tar(path: Path, files: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def rows_of(path: Path) -> list[dict[str, Any]]:
    from fiqa.pipeline import ResultTable

    return list(ResultTable(path).rows())
