"""Make the pictures of the README, with the tool itself, from the two public-domain portraits.

python docs/pictures.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fiqa import Scorer
from fiqa.degradations import degrade, degrade_part
from fiqa.examples import example_crops
from fiqa.pages import colour_range, overlay, sheet
from fiqa.types import ImageArray

FOLDER = Path(__file__).parent / "images"
LADDER = (("blur", 0.3), ("blur", 0.6), ("dark", 0.8), ("noise", 0.5), ("occlusion", 0.8))
PARTS = (("dark", 0.9, 8), ("blur", 1.0, 3), ("noise", 1.0, 11))  # kind, severity, seed of the rectangle
SIDE, MARGIN = 224, 34


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    scores()
    maps()


def scores() -> None:
    """The portraits as taken and degraded; under each its score."""
    scorer = Scorer(engine="onnxruntime")
    rows = []
    for crop in example_crops():
        crops = [crop, *(degrade(crop, kind, severity, seed=1) for kind, severity in LADDER)]
        qualities = scorer.qualities(np.stack(crops))
        rows.append([scored(c, q.score) for c, q in zip(crops, qualities, strict=True)])
    columns = ["as taken", *(f"{kind} {severity:g}" for kind, severity in LADDER)]
    sheet(rows, columns=columns).convert("RGB").save(FOLDER / "scores.jpg", quality=88)


def maps() -> None:
    """ViTNT-FIQA's map over the portraits, as taken and with one rectangle degraded."""
    scorer = Scorer(engine="onnxruntime", methods=["vitnt"])
    rows = []
    for crop in example_crops():
        parts = [degrade_part(crop, kind, severity, seed)[0] for kind, severity, seed in PARTS]
        rows.append(scorer.qualities(np.stack([crop, *parts])))
    least, most = colour_range([quality.patch_map("vitnt") for row in rows for quality in row])
    pictures = [
        [
            overlay(
                q.crop,
                q.patch_map("vitnt"),
                vmin=least,
                vmax=most,
                size=SIDE,
                label=f"vitnt {q.raw['vitnt']:.3f}",
            )
            for q in row
        ]
        for row in rows
    ]
    columns = ["as taken", *(f"{kind}, in part" for kind, _, _ in PARTS)]
    sheet(pictures, columns=columns).convert("RGB").save(FOLDER / "maps.jpg", quality=88)


def scored(crop: ImageArray, score: float | None) -> Image.Image:
    """A crop with its score below."""
    picture = Image.new("RGB", (SIDE, SIDE + MARGIN), "white")
    picture.paste(Image.fromarray(crop).resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    font = ImageFont.load_default(24)
    ImageDraw.Draw(picture).text((SIDE // 2, SIDE + MARGIN // 2), f"{score:.0f}", "black", font, anchor="mm")
    return picture


if __name__ == "__main__":
    main()
