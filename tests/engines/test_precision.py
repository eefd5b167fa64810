"""Lower precision: how far it may be off."""

from __future__ import annotations

import numpy as np
import pytest

from engines.cases import GRAPH_ENGINES, NEEDED, open_engine
from fiqa import Scorer
from fiqa.degradations import DEGRADATIONS, degrade
from fiqa.engines import TorchEngine
from fiqa.evaluation.metrics.statistics import spearman
from fiqa.examples import example_crops
from fiqa.graph import quantizer as quantize
from fiqa.methods import parse

LOOSE = {
    ("torch", "bf16"): 0.05,
    ("openvino", "bf16"): 0.05,
    ("onnxruntime", "int8"): 0.1,
    ("openvino", "int8"): 0.1,
}


@pytest.mark.parametrize(("name", "precision"), LOOSE)
def test_lower_precision_stays_close(name, precision, golden_vit, graph_of, golden, monkeypatch):
    vit, images = golden_vit("fr_vit"), golden("fr_vit")["images_rgb"]
    ladder = [np.clip(images * share, 0, 255).astype(np.uint8) for share in (1.0, 0.6, 0.3)]
    batch = np.concatenate(ladder)
    if (name, precision) == ("openvino", "int8"):
        pytest.importorskip("nncf", reason="needs the int8 extra")
    monkeypatch.setattr(quantize, "_example_crops", lambda: batch)
    engine = open_engine(name, vit, lambda: graph_of("fr_vit", vit, NEEDED["fr_vit"]), precision)
    exact = TorchEngine(vit, device="cpu")
    for spec in ("vitnt", "attn"):
        method = parse(spec, exact.card)
        got, want = (method.score(e.run(batch, method.needs())) for e in (engine, exact))
        assert got.dtype == np.float32
        assert np.abs(got - want).max() <= LOOSE[name, precision] * np.ptp(want), spec
    assert engine.precision == precision


@pytest.mark.slow
@pytest.mark.parametrize("engine", GRAPH_ENGINES)
def test_the_embedded_model_in_int8_keeps_the_order_of_faces(engine, capsys):
    if engine == "openvino":
        pytest.importorskip("nncf", reason="needs the int8 extra")
    crops = np.stack(
        [
            degrade(crop, kind, severity, seed=1)
            for crop in example_crops()[:2]
            for kind in DEGRADATIONS
            for severity in (0.05, 0.15, 0.4, 0.7)
        ]
    )
    exact, fast = (Scorer(engine=engine, precision=p, threads=1) for p in ("fp32", "int8"))
    want, got = exact.score_crops(crops), fast.score_crops(crops)
    assert capsys.readouterr().out == ""  # stdout may be a table
    for spec in want:
        assert spearman(want[spec], got[spec]) > 0.98, spec
        assert not np.array_equal(want[spec], got[spec]), f"{spec}: nothing was quantised"
        np.testing.assert_allclose(fast.score_crops(crops[5:6])[spec], got[spec][5:6], rtol=1e-4, atol=1e-5)
