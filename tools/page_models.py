"""What ships with fiqa in → the networks and the numbers that the page in the browser works with, out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import fiqa
from fiqa.examples import example_paths
from fiqa.faces import mtcnn
from fiqa.faces.mtcnn.detector import Mtcnn, read_weights
from fiqa.graph import onnx_file
from fiqa.methods import Attn, ExitDepth, parse
from fiqa.models.catalog import embedded
from fiqa.reasons import EXPOSURE, Photo, Policy, diagnose
from fiqa.reasons.diagnosis import DIRECTED, FOLLOWS, RULES

MAX_PIXELS = 40_000_000
"""Of an image in the browser, as of ``fiqa serve``: decoding takes 7 bytes a pixel there."""


def networks() -> dict[str, bytes]:
    """Name → ONNX file: the detector's three with their weights, and the embedded model cut to its need."""
    method, drawn = _methods()
    graph = embedded().graph
    assert graph is not None  # the embedded model is one
    files = {"quality": onnx_file.prune(graph, [*method.needs(), *drawn.needs()])}
    for name in ("pnet", "rnet", "onet"):
        files[name] = _with_weights(Path(mtcnn.__file__).with_name(f"{name}.onnx"), read_weights(name))
    return files


def settings() -> dict[str, Any]:
    """What the scripts of the page are told: see ``Settings`` in ``web/page/assets/engine/pipeline.js``."""
    method, drawn = _methods()
    scorer = fiqa.Scorer(reasons=True)
    calibration = scorer.calibration
    assert calibration is not None  # the embedded model ships with one
    assert scorer.scored_by == method.name
    detector = Mtcnn()
    return {
        "version": fiqa.__version__,
        "model": {
            "name": scorer.card.name,
            "method": scorer.scored_by,
            "exits": list(method.needs()),
            "map": drawn.needs()[0],
            "grid": list(scorer.card.grid),
            "calibration": {"raw": calibration.raw, "score": calibration.score},
        },
        "detector": {
            "minFace": detector.min_face,
            "thresholds": detector.thresholds,
            "maxSide": detector.max_side,
            "turnedMargin": detector.turned_margin,
        },
        "reasons": _reasons(),
        "maxPixels": MAX_PIXELS,
    }


def _methods() -> tuple[ExitDepth, Attn]:
    """The method that the page scores with, and the one whose map it draws."""
    card = embedded().card
    method, drawn = parse("exit-depth", card), parse("attn", card)
    assert isinstance(method, ExitDepth)
    assert isinstance(drawn, Attn)
    return method, drawn


def _with_weights(path: Path, arrays: list[np.ndarray]) -> bytes:
    """The graph of a file with its external weights inside."""
    model = onnx_file.read(path.read_bytes())
    outside = {tensor.name: tensor for tensor in model.graph.initializer if tensor.external_data}
    for number, array in enumerate(arrays):
        tensor = outside.pop(f"w{number:02d}")
        if list(tensor.dims) != list(array.shape):
            raise SystemExit(
                f"{path.name}: w{number:02d} is {list(tensor.dims)}, but got {list(array.shape)}"
            )
        tensor.ClearField("external_data")
        tensor.ClearField("data_location")
        tensor.raw_data = array.astype("<f4").tobytes()
    if outside:
        raise SystemExit(f"{path.name}: no weights for {', '.join(outside)}")
    return bytes(model.SerializeToString())


def _reasons() -> dict[str, Any]:
    limits, units = Policy().limits(), _units()
    return {
        "rules": [
            {
                "code": rule.code,
                "measure": rule.measure,
                "bound": rule.bound,
                "limit": limits[rule.limit],
                "unit": units[rule.measure],
            }
            for rule in RULES
            if limits[rule.limit] is not None
        ],
        "follows": FOLLOWS,
        "directed": DIRECTED,
        "unexplained": limits["unexplained"],
        "exposure": sorted(EXPOSURE),
    }


def _units() -> dict[str, str]:
    """Measure → its unit, as a measured face says it."""
    quality = fiqa.Scorer(methods="exit-depth").score(example_paths()[0])
    assert quality.face is not None
    assert quality.crop is not None
    photo = Photo(size=(1000, 1000), faces=[quality.face], jpeg_quality=90)
    found = diagnose(photo, quality.face, quality.crop).measures
    return {name: measured.unit for name, measured in found.items()}
