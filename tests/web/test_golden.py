"""The golden file is what this version says: the page is held to it in the browser, Python here."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests.web.browser import ROOT
from tools.page_golden import judged, measured, resampled

GOLDEN = json.loads((ROOT / "tests" / "fixtures" / "page.json").read_text(encoding="utf-8"))


@pytest.mark.slow
def test_scores_and_reasons() -> None:
    found = judged()
    assert list(found) == list(GOLDEN["judged"])
    for name, expected in GOLDEN["judged"].items():
        assert found[name]["score"] == pytest.approx(expected["score"], abs=0.05), name
        assert found[name]["reasons"] == expected["reasons"], name
        assert found[name]["advice"] == expected["advice"], name
        if expected["landmarks"] is not None:
            np.testing.assert_allclose(found[name]["landmarks"], expected["landmarks"], atol=0.05)


def test_pixels_and_measures() -> None:
    assert resampled() == json.loads(json.dumps(GOLDEN["resampled"]))
    for found, expected in zip(measured(), GOLDEN["measured"], strict=True):
        assert found["data"] == expected["data"]
        assert found["measures"] == pytest.approx(expected["measures"], rel=1e-4, abs=1e-4)
        assert found["map"] == pytest.approx(expected["map"], abs=0.02)
