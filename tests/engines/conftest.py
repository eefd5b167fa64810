"""Every engine on the reference networks and on a small one, and torch's answers beside it."""

from __future__ import annotations

import pytest

from engines.cases import SMALL, open_engine
from fiqa import engines
from fiqa.engines import TorchEngine


@pytest.fixture(scope="module", params=engines.ENGINES)
def small(request, make_vit, graph_of):
    vit = make_vit(0, **SMALL)
    return open_engine(request.param, vit, lambda: graph_of("small", vit))


@pytest.fixture(scope="module")
def reference(make_vit):
    return TorchEngine(make_vit(0, **SMALL), device="cpu")
