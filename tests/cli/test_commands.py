"""The other commands: what is listed, drawn and exported."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from tests.cli.runs import FAST, ONE, detects, fiqa, message, table

from fiqa.examples import example_paths


def test_a_budget_is_announced(many):
    done = fiqa("score", many / "00000.png", *ONE, "--budget", "60%")
    assert b"within the budget: vitnt:blocks=0-" in done.stderr


def test_methods_and_models_are_listed():
    text = fiqa("methods").stdout.decode()
    for name in (
        "vitnt",
        "attn",
        "exit",
        "exit-mean",
        "exit-depth",
        "2601.05741",
        "2604.22841",
        "2604.22842",
    ):
        assert name in text
    text = fiqa("models").stdout.decode()
    for name in ("default", "cvlface-vit-b", "vitfiqa-s-token", "Apache-2.0"):
        assert name in text


@detects
def test_the_demo_scores_the_examples_and_draws_them(tmp_path):
    done = fiqa("demo", "-o", tmp_path / "demo", "--threads", "1")
    text = done.stdout.decode()
    assert str(tmp_path / "demo" / "index.html") in text
    assert text.count(" ok ") == len(example_paths())
    assert len(list((tmp_path / "demo").glob("*.png"))) >= 2 * len(example_paths())


def test_explain_draws_the_good_and_says_why_the_bad_are_not_drawn(many, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no image")
    good = sorted(many.iterdir())[0]
    done = fiqa("explain", good, broken, "-o", tmp_path / "out", *FAST, expect=3)
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert message(done) == f"'{broken}' is not an image of a known format"
    assert good.name in page
    assert "broken.jpg" in page


def test_export_writes_a_graph_that_scores(golden_path, golden, tmp_path):
    pytest.importorskip("onnxscript", reason="exporting needs the extra export")
    checkpoint, graph = golden_path("vitfiqa_token"), tmp_path / "net.onnx"
    fiqa("export", graph, "--model", checkpoint, "--heads", "4", "-m", "exit:1")
    arrays = golden("vitfiqa_token")
    for number, pixels in enumerate(arrays["images_rgb"]):
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    rows = table(fiqa("score", tmp_path, "--model", graph, *ONE, "-m", "exit:1").stdout)
    assert {values["score"] for values in rows.values()} == {""}  # it has no calibration
    found = [float(rows[path]["exit:1"]) for path in sorted(rows)]
    np.testing.assert_allclose(found, arrays["exits"][:, 0], rtol=1e-4)
