"""Small networks, the methods that are run on them, and opening an engine by its name."""

from __future__ import annotations

import numpy as np
import pytest

from fiqa import engines
from fiqa import evidence as names
from fiqa.engines import (
    OnnxRuntimeEngine,
    OpenVINOEngine,
    TorchEngine,
)

SMALL = {"depth": 4, "quality": "token", "quality_token": True, "head": "mean", "embedding": 6}


METHODS = (
    "vitnt",
    "vitnt:weighting=uniform",
    "vitnt:weighting=mean,alpha=3.5",
    "vitnt:blocks=0-2,norm=none",
    "vitnt:blocks=0,2,3",  # not among the graph's steps: from its states
    "attn",
    "attn:block=1",
    "attn:reduce=median",
    "attn:reduce=median,block=1",
    "attn:reduce=max",
    "attn:reduce=inverse-std",
    "exit:1",
    "exit:3",
    "exit-mean",
    "exit-depth",
)


def open_engine(name, vit, graph, precision="fp32"):
    """The engine of that name on a network or its graph; the test is skipped where it is not installed."""
    if name == "torch":
        return TorchEngine(vit, device="cpu", precision=precision)
    if name == "openvino":
        pytest.importorskip("openvino", reason="needs the openvino extra")
        return OpenVINOEngine(graph(), threads=1, precision=precision)
    return OnnxRuntimeEngine(graph(), threads=1, precision=precision)


GRAPH_ENGINES = tuple(name for name in engines.ENGINES if engines.ENGINES[name].reads == "graph")


NEEDED = {
    "fr_vit": tuple(
        [names.step(b, b + 1, "final") for b in range(5)]
        + [names.received(b) for b in range(6)]
        + [names.logits(5, "mean"), names.EMBEDDING]
    ),
    **{
        f"vitfiqa_{mode}": (*(names.exit_(number) for number in range(1, 7)), names.EMBEDDING)
        for mode in ("token", "crfiqa", "full")
    },
}


BATCH = np.random.default_rng(3).integers(0, 256, (3, 112, 112, 3), dtype=np.uint8)
WANTED = ["exit/3"]


def plain_network(make_vit):
    return TorchEngine(make_vit(0, **SMALL)).run(BATCH, WANTED)
