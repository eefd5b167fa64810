"""Export: the same numbers as torch at any batch size, or no file."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

import fiqa
from fiqa.errors import MissingExtra, UsageError
from fiqa.graph import export_graph
from fiqa.graph import exporter as export
from fiqa.graph import onnx_file as _graph
from fiqa.graph.exporter import ExportMismatch, full_request
from fiqa.network import describe, record
from fiqa.types import ModelCard

pytest.importorskip("onnxscript", reason="exporting needs the export extra")
SMALL = {"depth": 4, "quality": "token", "quality_token": True, "head": "mean", "embedding": 6}


@pytest.fixture(scope="module")
def small(make_vit, graph_of):
    """The network of test_graph and its whole graph (exported once for both)."""
    vit = make_vit(0, **SMALL)
    return vit, graph_of("small", vit)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_every_output_equals_torch_at_every_batch_size(n, small, crops):
    vit, graph = small
    names = _graph.outputs(graph)
    assert names == full_request(vit)
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    want = record(vit, torch.from_numpy(crops[:n]), names)
    for name, got in zip(names, session.run(list(names), {"crops": crops[:n]}), strict=True):
        assert got.dtype == np.float32
        assert got.shape == want[name].shape
        np.testing.assert_allclose(got, want[name], rtol=1e-4, atol=1e-4 * float(want[name].abs().max()))


def test_the_input_is_rgb_bytes_with_a_free_batch(small):
    (given,) = onnxruntime.InferenceSession(small[1], providers=["CPUExecutionProvider"]).get_inputs()
    assert (given.name, given.type) == ("crops", "tensor(uint8)")
    assert isinstance(given.shape[0], str)
    assert given.shape[1:] == [112, 112, 3]


def test_the_card_travels_inside(small):
    vit, graph = small
    assert ModelCard.from_json(_graph.metadata(graph)["fiqa.card"]) == describe(vit)


def test_a_whole_request_answers_every_method(small):
    from fiqa.methods import needs, parse

    vit, graph = small
    offered = set(_graph.outputs(graph))
    specs = [
        "vitnt",
        "vitnt:weighting=mean,norm=none",
        "attn",
        "attn:block=1",
        "exit:2",
        "exit-mean",
        "exit-depth",
    ]
    specs += [f"attn:reduce={reduce}" for reduce in ("median", "max", "inverse-std")]
    assert offered.issuperset(needs([parse(spec, describe(vit)) for spec in specs]))
    assert "embedding" in offered


def test_the_embedded_graph_holds_no_path_of_the_machine_that_exported_it():
    folder = Path(fiqa.__file__).parent
    for path in (*folder.rglob("*.onnx"), *folder.rglob("*.npz"), *folder.rglob("*.safetensors")):
        assert b".py" not in path.read_bytes(), path


def test_a_recogniser_without_a_head_offers_no_exit_and_no_embedding(make_vit):
    assert not any(name.startswith(("exit", "embedding")) for name in full_request(make_vit(0)))


@pytest.mark.parametrize("wanted", [["exit/1"], ["embedding"], ["received/9"], ["nonsense"]])
def test_what_the_network_can_not_give_is_not_exported(wanted, make_vit, tmp_path):
    with pytest.raises(UsageError):
        export.export(make_vit(0), tmp_path / "a.onnx", wanted)
    assert not list(tmp_path.iterdir())


def test_half_the_size_and_the_rounded_network_s_numbers(make_vit, crops):
    vit = make_vit(0, width=64, mlp_width=128, depth=2)
    wanted = ("step/0-1/final", "logits/1/mean")
    full, half = export_graph(vit, wanted), export_graph(vit, wanted, half=True)
    assert b"exporter.py" not in full + half  # no path of the machine that exported it
    rounded = make_vit(0, width=64, mlp_width=128, depth=2)
    for tensor in rounded.parameters():
        if tensor.numel() >= 1024:
            tensor.data = tensor.data.half().float()
    want = record(rounded, torch.from_numpy(crops), wanted)
    session = onnxruntime.InferenceSession(half, providers=["CPUExecutionProvider"])
    for name, got in zip(wanted, session.run(list(wanted), {"crops": crops}), strict=True):
        np.testing.assert_allclose(got, want[name], rtol=1e-4, atol=1e-4 * float(want[name].abs().max()))
    weights = 2 * sum(p.numel() for p in vit.parameters() if p.numel() >= 1024)
    assert len(full) - len(half) > 0.9 * weights
    untouched = make_vit(0, width=64, mlp_width=128, depth=2)
    assert torch.equal(vit.blocks[0].mlp.fc1.weight, untouched.blocks[0].mlp.fc1.weight)


class _Program:
    """What torch.onnx.export hands back, with a graph of our choosing inside."""

    def __init__(self, graph):
        import onnx

        self.model_proto = onnx.load_from_string(graph)


def test_a_graph_that_differs_is_refused_and_leaves_no_file(small, make_vit, tmp_path, monkeypatch):
    vit, graph = small
    wanted = full_request(vit)
    other = make_vit(0, **SMALL)
    with torch.no_grad():
        other.blocks[2].mlp.fc2.bias += 0.01  # one small thing that the exporter would get wrong
    monkeypatch.setattr(torch.onnx, "export", lambda *args, **kwargs: _Program(graph))
    export.export(vit, tmp_path / "right.onnx", wanted)  # the same graph is fine for its own network
    with pytest.raises(ExportMismatch, match=r"differs from torch by .* nothing was written"):
        export.export(other, tmp_path / "wrong.onnx", wanted)
    assert [path.name for path in tmp_path.iterdir()] == ["right.onnx"]


def test_an_existing_file_survives_a_failed_export(small, make_vit, tmp_path, monkeypatch):
    path = tmp_path / "a.onnx"
    path.write_bytes(b"what was there")
    monkeypatch.setattr(torch.onnx, "export", lambda *args, **kwargs: _Program(small[1]))
    with pytest.raises(ExportMismatch):
        export.export(make_vit(1, **SMALL), path)
    assert path.read_bytes() == b"what was there"
    assert list(tmp_path.iterdir()) == [path]


def test_numbers_that_are_not_numbers_are_a_mismatch(small, make_vit, monkeypatch):
    vit = make_vit(0, **SMALL)
    with torch.no_grad():
        vit.norm.bias[0] = float("nan")
    monkeypatch.setattr(torch.onnx, "export", lambda *args, **kwargs: _Program(small[1]))
    with pytest.raises(ExportMismatch):
        export_graph(vit)


def test_without_the_exporter_the_error_is_the_pip_line(make_vit, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(MissingExtra, match=r"pip install 'fiqa\[export\]'"):
        export_graph(make_vit(0))


def test_a_network_s_own_card_is_not_lost_by_rounding(make_vit):
    vit = make_vit(0)
    vit.card = dataclasses.replace(describe(vit), name="ours")
    assert describe(export._rounded(vit)).name == "ours"
