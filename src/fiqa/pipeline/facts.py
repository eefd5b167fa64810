"""A scorer and its settings in → what decides the numbers of a table, as JSON values, out."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib import metadata
from typing import Any

from ..scorer import Scorer

_PACKAGES = ("fiqa", "numpy", "pillow", "onnxruntime", "openvino", "torch")


def facts(scorer: Scorer, *, all_faces: bool, decides: Mapping[str, Any]) -> dict[str, Any]:
    """The content of ``PATH.run.json``.

    Args:
        scorer: what scores.
        all_faces: whether every face has a row.
        decides: further settings that decide the numbers.

    Returns:
        ``decides``: what a resumed run must have the same; ``calibration``: the whole calibration behind the
        0–100 score; ``context``: what may be of interest.
    """
    calibration = None if scorer.calibration is None else asdict(scorer.calibration)
    return {
        "decides": {
            "model": scorer.card.name,
            "sha256": scorer.card.sha256,
            "methods": scorer.used,
            "engine": scorer.engine,
            "align": scorer.align,
            "tolerant": scorer.limits is not None and scorer.limits.tolerant,
            "detector": _detector(scorer),
            "all_faces": all_faces,
            "scored_by": scorer.scored_by,
            "reasons": _policy(scorer),
            "calibration": "" if calibration is None else digest(json.dumps(calibration).encode()),
            **decides,
        },
        "calibration": calibration,
        "context": {
            "decoder": f"Pillow {metadata.version('pillow')}",
            "resampling": "faces by landmarks: bilinear, reduced in blocks first; whole images: "
            "bicubic, antialiased; a 112×112 input is not resampled",
            "python": platform.python_version(),
            "machine": platform.machine(),
            "packages": {name: version for name in _PACKAGES if (version := _version(name))},
        },
    }


def _policy(scorer: Scorer) -> dict[str, Any] | None:
    """What decides the reasons; their wording does not."""
    return None if scorer.policy is None else dict(scorer.policy.limits())


def _detector(scorer: Scorer) -> str:
    from ..faces import DetectorSource, NamedSource

    source = scorer.source
    return repr(source) if isinstance(source, DetectorSource | NamedSource) else type(source).__name__


def digest(data: bytes) -> str:
    """SHA-256 of ``data``, in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
