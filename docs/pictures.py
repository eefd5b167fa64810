"""Make the picture of the README, with the tool itself, from the two public-domain portraits.

python docs/pictures.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fiqa import Scorer
from fiqa.evaluation.synthetic import degrade
from fiqa.examples import example_crops
from fiqa.heatmap import sheet
from fiqa.types import ImageArray

FOLDER = Path(__file__).parent / "images"
LADDER = (("blur", 0.3), ("blur", 0.6), ("dark", 0.8), ("noise", 0.5), ("occlusion", 0.8))
SIDE, MARGIN = 224, 34


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    scorer = Scorer(engine="onnxruntime")
    rows = []
    for crop in example_crops():
        crops = [crop, *(degrade(crop, kind, severity, seed=1) for kind, severity in LADDER)]
        qualities = scorer.qualities(np.stack(crops))
        rows.append([scored(c, q.score) for c, q in zip(crops, qualities, strict=True)])
    columns = ["as taken", *(f"{kind} {severity:g}" for kind, severity in LADDER)]
    sheet(rows, columns=columns).convert("RGB").save(FOLDER / "scores.jpg", quality=88)


def scored(crop: ImageArray, score: float | None) -> Image.Image:
    """A crop with its score below."""
    picture = Image.new("RGB", (SIDE, SIDE + MARGIN), "white")
    picture.paste(Image.fromarray(crop).resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    font = ImageFont.load_default(24)
    ImageDraw.Draw(picture).text((SIDE // 2, SIDE + MARGIN // 2), f"{score:.0f}", "black", font, anchor="mm")
    return picture


if __name__ == "__main__":
    main()
