"""Make the pictures of the README and the docs, with the tool itself, from the two public-domain portraits.

python docs/pictures.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fiqa import Scorer
from fiqa.evaluation.synthetic import degrade
from fiqa.examples import example_crops
from fiqa.heatmap import colour_range, overlay, sheet

FOLDER = Path(__file__).parent / "images"
LADDER = (("as taken", None, 0.0), ("blur", "blur", 0.5), ("dark", "dark", 0.7), ("noise", "noise", 0.8),
          ("occlusion", "occlusion", 0.8))  # fmt: skip


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    scorer = Scorer(engine="onnxruntime")
    crops = [
        crop if kind is None else degrade(crop, kind, severity, seed=1)
        for crop in example_crops()
        for _, kind, severity in LADDER
    ]
    qualities = scorer.qualities(np.stack(crops))
    method = "attn" if "attn" in scorer.specs else scorer.specs[0]
    low, high = colour_range([quality.maps[method] for quality in qualities])
    pictures = [
        overlay(
            crop, quality.maps[method], vmin=low, vmax=high, label=f"{quality.score:.0f} of 100", size=224
        )
        for crop, quality in zip(crops, qualities, strict=True)
    ]
    n = len(LADDER)
    rows = [pictures[:n], pictures[n:]]
    columns = [name if kind is None else f"{name} {severity:g}" for name, kind, severity in LADDER]
    sheet(rows, columns=columns, labels=["", ""]).convert("RGB").save(FOLDER / "scores.jpg", quality=88)


if __name__ == "__main__":
    main()
