"""The example portraits in → what the page in the browser must say of them, in ``tests/fixtures/page.json``.

``python tools/page_golden.py`` writes the file; the tests of Python, of Node and of the browser all read it,
so that none of them can move alone. Its pictures are the two portraits of ``src/fiqa/examples``, what
``fiqa.degradations`` makes of their crops, and noise.
"""

from __future__ import annotations

import base64
import io
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import fiqa
from fiqa.degradations import DEGRADATIONS, degrade
from fiqa.examples import example_paths

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "tests" / "fixtures" / "page.json"
SEVERITIES = (0.35, 0.7, 1.0)


def main() -> None:
    found = {"judged": judged(), "resampled": resampled(), "measured": measured()}
    OUT.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def pictures() -> Iterator[tuple[str, bytes]]:
    """Name and encoded file of everything that is judged: the portraits, and their crops on ladders."""
    scorer = fiqa.Scorer()
    for path in map(Path, example_paths()):
        yield path.name, path.read_bytes()
        crop = scorer.score(path).crop
        assert crop is not None  # the portraits have a face each
        for kind in DEGRADATIONS:
            for severity in SEVERITIES:
                yield f"{path.stem} {kind} {severity}.png", _png(degrade(crop, kind, severity))


def judged() -> dict[str, dict[str, Any]]:
    """Name → what ``fiqa score`` says of it."""
    scorer = fiqa.Scorer(reasons=True, engine="onnxruntime")
    found = {}
    for name, data in pictures():
        quality = scorer.score(data)
        found[name] = {
            "status": quality.status,
            "score": round(quality.score or 0, 4),
            "reasons": [reason.code for reason in quality.reasons],
            "advice": [reason.advice for reason in quality.reasons],
            "landmarks": None if quality.face is None else quality.face.landmarks.round(3).tolist(),
        }
    return found


def resampled() -> dict[str, Any]:
    """A picture of noise, and what Pillow makes of it."""
    rng = np.random.default_rng(0)
    picture = Image.fromarray(rng.integers(0, 256, (29, 37, 3), dtype=np.uint8))
    bilinear, bicubic = Image.Resampling.BILINEAR, Image.Resampling.BICUBIC
    affine = (1.7, -0.9, 3.2, 0.9, 1.7, -5.1)
    resized = [
        {"size": [11, 9], "box": [0, 0, 37, 29], "gap": None},
        {"size": [60, 50], "box": [0, 0, 37, 29], "gap": None},
        {"size": [24, 24], "box": [0.3, 1.7, 30.2, 28.9], "gap": 3.0},
        {"size": [5, 4], "box": [0.0, 0.0, 37.0, 29.0], "gap": 2.0},
        {"size": [37, 12], "box": [0, 0, 37, 29], "gap": None},
    ]
    return {
        "picture": _packed(picture),
        "resized": [
            one | _packed(picture.resize(one["size"], bilinear, one["box"], one["gap"])) for one in resized
        ],
        "reduced": [
            {"factor": list(factor)} | _packed(picture.reduce(factor)) for factor in ((2, 2), (3, 4), (1, 7))
        ],
        "warped": {"affine": list(affine)}
        | _packed(picture.transform((16, 16), Image.Transform.AFFINE, affine, bilinear)),
        "rotated": {"degrees": 21.5} | _packed(picture.rotate(21.5, bicubic)),
    }


def measured() -> list[dict[str, Any]]:
    """Crops, and what is measured on them: light, texture, direction, raw score and map."""
    scorer = fiqa.Scorer(reasons=True, engine="onnxruntime")
    crop = scorer.score(example_paths()[0]).crop
    assert crop is not None
    found = []
    for one in (crop, degrade(crop, "motion", 0.7)):
        quality = scorer.qualities(one[None])[0]
        assert quality.measures is not None
        found.append(
            _packed(Image.fromarray(one))
            | {
                "measures": {name: number.value for name, number in quality.measures.items()},
                "score": quality.score,
                "raw": quality.raw["exit-depth"],
                "map": quality.maps["attn"].ravel().round(5).tolist(),
            }
        )
    return found


def _png(crop: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(crop).save(file, "png")
    return file.getvalue()


def _packed(picture: Image.Image) -> dict[str, Any]:
    data = base64.b64encode(zlib.compress(picture.tobytes(), 9)).decode("ascii")
    return {"width": picture.width, "height": picture.height, "data": data}


if __name__ == "__main__":
    main()
