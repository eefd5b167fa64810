"""A whole run: sources → scorer → sink, with the facts that decide its numbers."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from ..scorer import Scorer
from ..types import Quality
from .output import Output
from .rows import row


def facts(
    scorer: Scorer, *, all_faces: bool, landmarks: str | os.PathLike[str] | None = None
) -> dict[str, Any]:
    """What decides the numbers of a run (``decides``) and what may be of interest (``context``)."""
    packages = ("fiqa", "numpy", "pillow", "onnxruntime", "openvino", "torch")
    return {
        "decides": {
            "model": scorer.card.name,
            "sha256": scorer.card.sha256,
            "methods": scorer.used,
            "engine": scorer.engine,
            "align": scorer.align,
            "all_faces": all_faces,
            "calibration": _digest(repr(scorer.calibration).encode()),
            "landmarks": _digest(Path(landmarks).read_bytes()) if landmarks else "",
        },
        "context": {
            "decoder": f"Pillow {metadata.version('pillow')}",
            "resampling": "faces by landmarks: bilinear, reduced in blocks first; whole images: "
            "bicubic, antialiased; a 112×112 input is not resampled",
            "python": platform.python_version(),
            "machine": platform.machine(),
            "packages": {name: version for name in packages if (version := _version(name))},
        },
    }


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def score_into(
    output: Output, scorer: Scorer, paths: Iterable[str], *, batch_size: int = 8, all_faces: bool = False
) -> Iterator[Quality]:
    """Score the ``paths`` that ``output`` does not hold yet, writing each row before it is yielded."""
    todo = (path for path in paths if path not in output.done)
    for quality in scorer.stream(todo, batch_size, all_faces=all_faces):
        output.write(row(quality, scorer.specs))
        yield quality
