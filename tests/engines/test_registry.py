"""Engines by name: which is chosen, and what is said before weights are loaded."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from engines.cases import BATCH, SMALL, WANTED
from fiqa import Scorer, engines
from fiqa.engines import OnnxRuntimeEngine, OpenVINOEngine, TorchEngine, available_threads, choose
from fiqa.errors import MissingExtra, UnknownName, UsageError


def test_what_an_engine_lacks_is_said_before_weights_are_loaded(tmp_path):
    for options, message in (({"precision": "fp64"}, "precision of"), ({"device": "gpu0"}, "device of")):
        with pytest.raises(UsageError, match=message):
            Scorer(tmp_path / "missing.safetensors", engine="torch", **options)


@pytest.mark.parametrize(
    ("engine", "precision"), [("onnxruntime", "bf16"), ("torch", "int8"), ("openvino", "fp16"), ("torch", "")]
)
def test_a_precision_that_an_engine_does_not_have_is_refused(engine, precision):
    with pytest.raises(UsageError, match=f"precision of {engine} must be one of fp32"):
        engines.ENGINES[engine].check(precision=precision)


def test_the_engine_is_chosen_by_what_is_there(monkeypatch):
    monkeypatch.setattr(engines.base, "installed", lambda module: True)
    assert choose("auto") is OpenVINOEngine
    assert choose("auto", sources=["network"]) is TorchEngine
    assert choose("auto", sources=["graph"]) is OpenVINOEngine
    assert choose("auto", precision="bf16", sources=["network"]) is TorchEngine
    monkeypatch.setattr(engines.base, "installed", lambda module: False)
    assert choose("auto") is OnnxRuntimeEngine
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingExtra, match=r"needs openvino: pip install 'fiqa\[openvino\]'"):
        choose("openvino")
    with pytest.raises(UnknownName, match="Did you mean 'onnxruntime'"):
        choose("onnx-runtime")


@pytest.mark.parametrize(
    ("engine", "device"),
    [("onnxruntime", "cuda"), ("openvino", "gpu"), ("torch", "gpu0"), ("auto", "cuda:9")],
)
def test_a_device_that_is_not_there_is_refused(engine, device):
    with pytest.raises(UsageError, match=f"device of .* must be one of auto, cpu.* but got '{device}'"):
        choose(engine, device=device)


def test_an_engine_object_serves_a_scorer(make_vit):
    engine = TorchEngine(make_vit(0, **SMALL))
    scorer = Scorer(engine=engine, methods=["attn", "exit:3"])
    assert scorer.card == engine.card
    np.testing.assert_array_equal(scorer.score_crops(BATCH)["exit:3"], engine.run(BATCH, WANTED)["exit/3"])
    for options, named in (
        ({"model": "x.pt"}, "model"),
        ({"precision": "bf16"}, "precision"),
        ({"heads": 4}, "heads"),
    ):
        with pytest.raises(UsageError, match=f"brings its own network: leave out {named}"):
            Scorer(engine=engine, **options)
    with pytest.raises(UsageError, match=r"engine must be a name or a fiqa\.engines\.Engine, but got int"):
        Scorer(engine=3)


@pytest.mark.parametrize("model", ["default", "network"])
def test_heads_of_a_model_that_knows_its_own_are_refused(model, make_vit):
    with pytest.raises(UsageError, match="knows its number of attention heads: leave out heads=7"):
        Scorer(make_vit(0, **SMALL) if model == "network" else model, heads=7)


def test_threads_are_counted_or_given():
    assert available_threads() >= 1
    assert available_threads(3) == 3
    with pytest.raises(UsageError, match="threads must be at least 1, but got 0"):
        available_threads(0)
