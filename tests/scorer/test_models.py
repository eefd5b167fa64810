"""Models of every kind give the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fiqa
from fiqa import Scorer
from fiqa.errors import UsageError
from fiqa.methods import needs, parse


@pytest.fixture(scope="module")
def vit(make_vit: Any) -> Any:
    pytest.importorskip("torch", reason="checkpoints need the extra torch")
    return make_vit(5, head="mean", embedding=8)


def test_a_network_gives_the_same_as_object_checkpoint_and_graph(vit, graph_of, faces, tmp_path):
    expected = Scorer(vit, engine="torch", threads=1, embedding=True)
    assert expected.specs == ("vitnt", "attn")  # it has no exits
    assert next(expected.stream(faces)).embedding.shape == (8,)
    fiqa.save_checkpoint(vit, tmp_path / "net.safetensors")
    wanted = (*needs([parse(spec, expected.card) for spec in expected.specs]), "embedding")
    (tmp_path / "net.onnx").write_bytes(graph_of("scorer", vit, wanted))
    for model, engine in (
        (tmp_path / "net.safetensors", "torch"),
        (str(tmp_path / "net.onnx"), "onnxruntime"),
        (tmp_path / "net.onnx", "auto"),
    ):
        opened = Scorer(model, engine=engine, threads=1, embedding=True)
        for one, other in zip(opened.stream(faces), expected.stream(faces), strict=True):
            assert one.score is None
            assert dict(one.raw) == pytest.approx(dict(other.raw), rel=1e-4, abs=1e-5)
            np.testing.assert_allclose(one.embedding, other.embedding, rtol=1e-3, atol=1e-4)


def test_a_network_without_a_head_gives_no_embedding(make_vit):
    pytest.importorskip("torch", reason="networks need the extra torch")
    with pytest.raises(UsageError, match="no recognition head"):
        Scorer(make_vit(5), engine="torch", embedding=True)


@pytest.mark.parametrize("name", ["fr_vit", "vitfiqa_token"])
def test_a_published_checkpoint_meets_its_numbers(name, golden_path, golden):
    pytest.importorskip("torch", reason="checkpoints need the extra torch")
    arrays = golden(name)
    specs = ["attn", "vitnt:blocks=all,alpha=8,weighting=uniform"]
    scorer = Scorer(
        golden_path(name),
        methods=specs if name == "fr_vit" else ["exit:2", "exit-mean", "exit-depth"],
        engine="torch",
        threads=1,
        heads=4,
    )
    found = scorer.score_crops(arrays["images_rgb"])
    if name == "fr_vit":
        np.testing.assert_allclose(found["attn"], arrays["attn.score"], rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(found[specs[1]], arrays["vitnt.all.uniform.a8.0"], rtol=1e-4)
    else:
        np.testing.assert_allclose(found["exit:2"], arrays["exits"][:, 1], rtol=1e-4)
        np.testing.assert_allclose(found["exit-mean"], arrays["fused_mean"], rtol=1e-4)
        np.testing.assert_allclose(found["exit-depth"], arrays["fused_depth_weighted"], rtol=1e-4)


def test_a_transformers_model_is_taken_as_it_is(faces):
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16, image_size=32
    )
    model = transformers.ViTModel(config)
    scorer = Scorer(model, engine="torch", threads=1)
    quality = scorer.score(faces[0])
    assert set(quality.raw) == {"vitnt", "attn"}
    assert quality.patch_map("vitnt").shape == (2, 2)
    with pytest.raises(UsageError, match="exit-depth"):
        Scorer(model, methods=["exit-depth"], engine="torch")
