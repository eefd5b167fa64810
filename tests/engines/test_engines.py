"""Every engine with every method: the published numbers, torch's numbers, and what each refuses."""

from __future__ import annotations

import multiprocessing
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fiqa import Scorer, engines
from fiqa import evidence as names
from fiqa.degradations import DEGRADATIONS, degrade
from fiqa.engines import (
    OnnxRuntimeEngine,
    OpenVINOEngine,
    TorchEngine,
    available_threads,
    choose,
)
from fiqa.errors import DataError, MissingExtra, UnknownName, UsageError
from fiqa.evaluation.metrics.statistics import spearman
from fiqa.examples import example_crops
from fiqa.graph import quantizer as quantize
from fiqa.methods import needs, parse
from fiqa.network import describe
from fiqa.types import check_crops

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


def _open(name, vit, graph, precision="fp32"):
    if name == "torch":
        return TorchEngine(vit, device="cpu", precision=precision)
    if name == "openvino":
        pytest.importorskip("openvino", reason="needs the openvino extra")
        return OpenVINOEngine(graph(), threads=1, precision=precision)
    return OnnxRuntimeEngine(graph(), threads=1, precision=precision)


# ---------------------------------------------------------------- the published numbers

_NEEDED = {
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


def _meets(got, want):
    """Within 1e-4 of the reference, relative to its largest value."""
    assert got.shape == want.shape
    assert np.abs(got - want).max() <= 1e-4 * np.abs(want).max()


@pytest.fixture(scope="module", params=engines.ENGINES)
def on_golden(request, golden_vit, graph_of, golden):
    """name of a reference network → (its arrays, spec → its method's result, its evidence) on one engine."""

    def opened(name):
        vit, arrays = golden_vit(name), golden(name)
        engine = _open(request.param, vit, lambda: graph_of(name, vit, _NEEDED[name]))
        evidence = engine.run(arrays["images_rgb"], _NEEDED[name])
        return arrays, evidence, lambda spec: parse(spec, engine.card)

    return opened


def test_the_recogniser_s_published_numbers_are_met(on_golden):
    arrays, evidence, method = on_golden("fr_vit")
    seen = {"images_rgb", "prefix_blocks"}
    prefix = ",".join(map(str, arrays["prefix_blocks"]))
    for which, blocks in (("all", "all"), ("prefix", prefix)):
        for weighting in ("uniform", "last", "mean"):
            for alpha in (8.0, 3.5):
                key = f"vitnt.{which}.{weighting}.a{alpha}"
                vitnt = method(f"vitnt:blocks={blocks},weighting={weighting},alpha={alpha}")
                _meets(vitnt.score(evidence), arrays[key])
                seen.add(key)
    attn = method("attn")
    _meets(attn.score(evidence), arrays["attn.score"])
    _meets(attn.patch_map(evidence).reshape(len(evidence["embedding"]), -1), arrays["attn.map"])
    assert seen | {"attn.score", "attn.map"} == set(arrays)


@pytest.mark.parametrize("mode", ["token", "crfiqa", "full"])
def test_the_exits_published_numbers_are_met(mode, on_golden):
    arrays, evidence, method = on_golden(f"vitfiqa_{mode}")
    exits = np.stack([method(f"exit:{number}").score(evidence) for number in range(1, 7)], axis=1)
    _meets(exits, arrays["exits"])
    _meets(method("exit-mean").score(evidence), arrays["fused_mean"])
    _meets(method("exit-depth").score(evidence), arrays["fused_depth_weighted"])
    seen = {"images_rgb", "exits", "fused_mean", "fused_depth_weighted"}
    if mode != "token":  # whose head is left out of the fixtures
        _meets(evidence["embedding"], arrays["embeddings"][:, -1])
        seen.add("embeddings")
    assert set(arrays) == seen


@pytest.mark.parametrize("mode", ["crfiqa", "full"])
def test_the_embedding_of_every_exit_is_the_published_one(mode, golden_vit, golden):
    vit, arrays = golden_vit(f"vitfiqa_{mode}"), golden(f"vitfiqa_{mode}")
    with torch.inference_mode():
        states = vit.walk(torch.from_numpy(arrays["images_rgb"]))
        found = torch.stack([vit.embedding(vit.norm(state.tokens)) for state in states], dim=1)
    _meets(found.numpy(), arrays["embeddings"])


# ---------------------------------------------------------------- every engine, every method


@pytest.fixture(scope="module", params=engines.ENGINES)
def small(request, make_vit, graph_of):
    vit = make_vit(0, **SMALL)
    return _open(request.param, vit, lambda: graph_of("small", vit))


@pytest.fixture(scope="module")
def reference(make_vit):
    return TorchEngine(make_vit(0, **SMALL), device="cpu")


@pytest.mark.parametrize("spec", METHODS)
def test_every_engine_gives_torch_s_scores_and_maps(spec, small, reference, crops):
    method = parse(spec, reference.card)
    got, want = (engine.run(crops, method.needs()) for engine in (small, reference))
    assert list(got) == list(method.needs())
    score, expected = method.score(got), method.score(want)
    np.testing.assert_allclose(score, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
    if (patch_map := method.patch_map(want)) is not None:
        np.testing.assert_allclose(
            method.patch_map(got), patch_map, rtol=1e-4, atol=1e-4 * np.abs(patch_map).max()
        )


def test_evidence_is_float32_named_and_shaped_as_promised(small, crops):
    n_patches = 49
    shapes = {
        "step/0-1/final": (n_patches,),
        "step/0-3/none": (n_patches,),
        "received/2": (n_patches,),
        "logits/3/mean": (n_patches,),
        "logits/3/max": (n_patches,),
        "logits/3/median": (),
        "logits/3/inverse-std": (),
        "exit/2": (),
        "embedding": (6,),
        "state/1/final": (n_patches, 16),
    }
    for n in (1, 5):
        evidence = small.run(crops[:n], list(shapes))
        found = {name: array.shape for name, array in evidence.items()}
        assert found == {name: (n, *shape) for name, shape in shapes.items()}
        assert {array.dtype for array in evidence.values()} == {np.dtype(np.float32)}
        assert evidence.grid == (7, 7)


def test_a_step_from_states_equals_the_direct_one(small, reference, crops):
    for before, after in ((0, 2), (0, 3), (1, 3)):
        name = names.step(before, after, "final")
        got, want = small.run(crops, [name])[name], reference.run(crops, [name])[name]
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def test_strided_and_reversed_crops_are_read_as_they_look(small, crops):
    want = small.run(np.ascontiguousarray(crops[::-1, :, ::-1]), ["exit/2"])["exit/2"]
    np.testing.assert_array_equal(small.run(crops[::-1, :, ::-1], ["exit/2"])["exit/2"], want)


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_results_do_not_depend_on_order_or_batch_size(small, n, seed):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (n, 112, 112, 3), dtype=np.uint8)
    methods = [parse(spec, small.card) for spec in ("vitnt", "attn", "exit-depth")]
    order = rng.permutation(n)
    whole = small.run(images, needs(methods))
    shuffled = small.run(images[order], needs(methods))
    single = [small.run(image[None], needs(methods)) for image in images]
    for method in methods:
        scores = method.score(whole)
        # matrix products work in tiles of rows, so the last bit may depend on the place in the batch
        np.testing.assert_allclose(
            method.score(shuffled), scores[order], rtol=1e-5, atol=1e-6 * np.abs(scores).max()
        )
        alone = np.concatenate([method.score(evidence) for evidence in single])
        np.testing.assert_allclose(alone, scores, rtol=1e-5, atol=1e-5 * np.abs(scores).max())


# ---------------------------------------------------------------- lower precision, stated bounds

# Largest error of a score, as a share of the scores' spread over the reference images and their noise.
LOOSE = {
    ("torch", "bf16"): 0.05,
    ("openvino", "bf16"): 0.05,
    ("onnxruntime", "int8"): 0.1,
    ("openvino", "int8"): 0.1,
}


def test_crops_beyond_one_pass_give_what_each_pass_gives(small):
    """An engine takes so many at once; more must neither be lost, nor added, nor changed to the last bit."""
    wanted = needs([parse("attn", small.card), parse("exit-mean", small.card)])
    size = small.at_once
    crops = np.random.default_rng(0).integers(0, 256, (size + 3, 112, 112, 3), dtype=np.uint8)
    whole, first, rest = (small.run(part, wanted) for part in (crops, crops[:size], crops[size:]))
    for name in wanted:
        assert len(whole[name]) == size + 3
        assert np.array_equal(whole[name][:size], first[name])
        np.testing.assert_allclose(whole[name][size:], rest[name], rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak is counted by Linux")
@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_memory_does_not_grow_with_depth(engine):
    """All methods, each depth in a fresh process; a run time that keeps states takes 5 MB a block."""
    script = Path(__file__).parents[2] / "benchmarks" / "memory.py"
    peaks = []
    for depth in ("2", "6"):
        command = [sys.executable, str(script), "depth", depth, engine]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks.append(float(done.stdout.partition("blocks:")[2].split()[0]))
    assert peaks[1] < peaks[0] + 4, peaks


@pytest.mark.parametrize(("name", "precision"), LOOSE)
def test_lower_precision_stays_close(name, precision, golden_vit, graph_of, golden, monkeypatch):
    vit, images = golden_vit("fr_vit"), golden("fr_vit")["images_rgb"]
    ladder = [np.clip(images * share, 0, 255).astype(np.uint8) for share in (1.0, 0.6, 0.3)]
    batch = np.concatenate(ladder)
    if (name, precision) == ("openvino", "int8"):
        pytest.importorskip("nncf", reason="needs the int8 extra")
    monkeypatch.setattr(quantize, "_example_crops", lambda: batch)
    engine = _open(name, vit, lambda: graph_of("fr_vit", vit, _NEEDED["fr_vit"]), precision)
    exact = TorchEngine(vit, device="cpu")
    for spec in ("vitnt", "attn"):
        method = parse(spec, exact.card)
        got, want = (method.score(e.run(batch, method.needs())) for e in (engine, exact))
        assert got.dtype == np.float32
        assert np.abs(got - want).max() <= LOOSE[name, precision] * np.ptp(want), spec
    assert engine.precision == precision


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
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


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_what_a_graph_does_not_give_is_said(name, golden_vit, graph_of):
    vit = golden_vit("vitfiqa_token")
    engine = _open(name, vit, lambda: graph_of("vitfiqa_token", vit, _NEEDED["vitfiqa_token"]))
    with pytest.raises(UsageError, match="does not give 'received/2'; export one that does"):
        engine.run(np.zeros((1, 112, 112, 3), np.uint8), ["exit/1", "received/2"])
    with pytest.raises(UsageError, match="reads a block that this network of 6 blocks does not have"):
        engine.run(np.zeros((1, 112, 112, 3), np.uint8), ["exit/7"])


def test_a_graph_of_something_else_is_a_data_error(graph_of, make_vit):
    onnx = pytest.importorskip("onnx")
    model = onnx.load_from_string(graph_of("small", make_vit(0, **SMALL)))
    del model.metadata_props[:]
    with pytest.raises(DataError, match="no evidence graph: make one with 'fiqa export'"):
        OnnxRuntimeEngine(model.SerializeToString())
    with pytest.raises(DataError, match="no ONNX file"):
        OnnxRuntimeEngine(b"not a graph")


def test_a_card_whose_grid_is_not_the_graph_s_is_a_data_error(graph_of, make_vit):
    onnx = pytest.importorskip("onnx")
    model = onnx.load_from_string(graph_of("small", make_vit(0, **SMALL)))
    for entry in model.metadata_props:
        entry.value = entry.value.replace('"grid": [7, 7]', '"grid": [5, 5]')
    engine = OnnxRuntimeEngine(model.SerializeToString())
    assert engine.card.grid == (5, 5)
    with pytest.raises(DataError, match=r"says 5×5 where 'received/1' has 49 patches: export it anew"):
        engine.run(_BATCH, ["received/1"])


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


# ---------------------------------------------------------------- threads, processes, the caller's network


def _in_another_process(connection, engine, wanted):
    connection.send(engine.run(_BATCH, wanted)[wanted[0]])


_BATCH = np.random.default_rng(3).integers(0, 256, (3, 112, 112, 3), dtype=np.uint8)
_WANTED = ["exit/3"]


@pytest.mark.slow
@pytest.mark.parametrize("name", engines.ENGINES)
def test_an_engine_can_be_pickled_and_used_after_fork_and_by_spawn(name, make_vit, graph_of):
    vit = make_vit(0, **SMALL)
    engine = _open(name, vit, lambda: graph_of("small", vit))
    want = engine.run(_BATCH, _WANTED)[_WANTED[0]]  # and it has threads now
    again = pickle.loads(pickle.dumps(engine))
    np.testing.assert_array_equal(again.run(_BATCH, _WANTED)[_WANTED[0]], want)
    for method in ("fork", "spawn"):
        context = multiprocessing.get_context(method)
        here, there = context.Pipe(duplex=False)
        process = context.Process(target=_in_another_process, args=(there, engine, _WANTED))
        process.start()
        assert here.poll(120), f"nothing came back after {method}"
        np.testing.assert_allclose(here.recv(), want, atol=1e-6)
        process.join(30)
        assert process.exitcode == 0


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_a_request_is_compiled_once_however_many_threads_ask(name, make_vit, graph_of, monkeypatch):
    vit = make_vit(0, **SMALL)
    engine = _open(name, vit, lambda: graph_of("small", vit))
    compiled, compile_ = [], type(engine)._compile
    monkeypatch.setattr(
        type(engine), "_compile", lambda *arguments: (compiled.append(1), compile_(*arguments))[1]
    )
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: engine.run(_BATCH, _WANTED)[_WANTED[0]], range(8)))
    assert len(compiled) == 1
    assert all(np.array_equal(one, found[0]) for one in found)


def test_the_caller_s_network_and_threads_stay_as_they_were(make_vit):
    vit = make_vit(0, **SMALL).train().requires_grad_(True)
    state = {key: tensor.clone() for key, tensor in vit.state_dict().items()}
    threads = torch.get_num_threads()
    engine = TorchEngine(vit, threads=threads + 1)
    engine.run(_BATCH, _WANTED)
    assert torch.get_num_threads() == threads
    assert all(module.training for module in vit.modules())
    assert all(parameter.requires_grad for parameter in vit.parameters())
    assert all(torch.equal(tensor, state[key]) for key, tensor in vit.state_dict().items())
    with torch.no_grad():
        vit.quality_head.project.weight += 1  # the weights are shared, not copied
    assert not np.array_equal(engine.run(_BATCH, _WANTED)["exit/3"], _plain(make_vit)["exit/3"])


def _plain(make_vit):
    return TorchEngine(make_vit(0, **SMALL)).run(_BATCH, _WANTED)


def test_an_engine_object_serves_a_scorer(make_vit):
    engine = TorchEngine(make_vit(0, **SMALL))
    scorer = Scorer(engine=engine, methods=["attn", "exit:3"])
    assert scorer.card == engine.card
    np.testing.assert_array_equal(scorer.score_crops(_BATCH)["exit:3"], engine.run(_BATCH, _WANTED)["exit/3"])
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


@pytest.mark.parametrize(
    "crops",
    [
        np.zeros((112, 112, 3), np.uint8),
        np.zeros((1, 3, 112, 112), np.uint8),
        np.zeros((1, 112, 112, 4), np.uint8),
        np.zeros((1, 112, 112, 3), np.float32),
        [],
        None,
    ],
    ids=lambda crops: str(getattr(crops, "shape", crops)),
)
def test_crops_of_another_shape_or_type_are_refused(crops):
    with pytest.raises(UsageError, match=r"uint8 of shape \(B, 112, 112, 3\), RGB, but got"):
        check_crops(crops)


def test_the_card_says_what_the_network_is(small, make_vit):
    assert small.card == describe(make_vit(0, **SMALL))
