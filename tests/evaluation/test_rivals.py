"""Rivals: each against the literal formula of its paper, on networks small enough to write out."""

from __future__ import annotations

import importlib.util
import itertools
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image, ImageFilter

from fiqa import specs
from fiqa.errors import DataError, UnknownName, UsageError
from fiqa.evaluation.recognizers import OnnxRecognizer
from fiqa.evaluation.rivals import (
    RIVALS,
    SERFIQ,
    DetectorScore,
    EmbeddingNorm,
    GraFIQs,
    MirrorConsistency,
    OnnxQuality,
    RivalSpec,
    Sharpness,
    dropout_agreement,
    open_rival,
)
from fiqa.types import Face


def random_crops(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, 112, 112, 3), dtype=np.uint8)


class LeftHalf:
    """A recogniser that sees the left half only, so that a mirror image changes it."""

    name = identity = "left half"

    def embed(self, crops: np.ndarray) -> np.ndarray:
        return crops[:, ::16, :56:8].reshape(len(crops), -1).astype(np.float32) - 100


# --- without a network --------------------------------------------------------------------------------------


def test_sharpness_is_the_literal_variance_and_falls_with_blur() -> None:
    crops = random_crops(2)
    values = []
    for crop in crops:
        luma = 0.299 * crop[..., 0] + 0.587 * crop[..., 1] + 0.114 * crop[..., 2]
        laplacian = [
            luma[y - 1, x] + luma[y + 1, x] + luma[y, x - 1] + luma[y, x + 1] - 4 * luma[y, x]
            for y, x in itertools.product(range(1, 111), repeat=2)
        ]
        values.append(np.var(laplacian))
    np.testing.assert_allclose(Sharpness().score_crops(crops), values, rtol=1e-5)
    ladder = [
        np.asarray(Image.fromarray(crops[0]).filter(ImageFilter.GaussianBlur(radius))) for radius in range(4)
    ]
    scores = Sharpness().score_crops(np.stack(ladder))
    assert (np.diff(scores) < 0).all()
    assert Sharpness().score_crops(np.full((1, 112, 112, 3), 7, np.uint8))[0] == pytest.approx(0, abs=1e-6)


def face(left_eye: tuple[float, float], right_eye: tuple[float, float], confidence: float = 1.0) -> Face:
    points = [left_eye, right_eye, (5.0, 5.0), (3.0, 8.0), (7.0, 8.0)]
    return Face(box=(0, 0, 10, 10), landmarks=np.array(points, np.float32), confidence=confidence)


def test_detector_score_of_crops() -> None:
    shapes = []

    def detect(image: np.ndarray) -> list[Face]:
        shapes.append(image.shape)
        return [face((0, 0), (1, 1), c) for c in (0.2, 0.7)] if image[50, 50, 0] else []

    crops = np.zeros((2, 112, 112, 3), np.uint8)
    crops[0] = 9
    rival = DetectorScore(detect, "mine", margin=10)
    np.testing.assert_allclose(rival.score_crops(crops), [0.7, 0])
    assert shapes == [(132, 132, 3)] * 2
    assert rival.name == "mine-score"


# --- from any recogniser ------------------------------------------------------------------------------------


def test_norm_and_mirror_are_the_literal_ones() -> None:
    crops = random_crops(4)
    embeddings = LeftHalf().embed(crops).astype(np.float64)
    mirrored = LeftHalf().embed(crops[:, :, ::-1]).astype(np.float64)
    np.testing.assert_allclose(
        EmbeddingNorm(LeftHalf()).score_crops(crops), [np.sqrt((e**2).sum()) for e in embeddings], rtol=1e-6
    )
    cosine = [e @ m / np.sqrt((e @ e) * (m @ m)) for e, m in zip(embeddings, mirrored, strict=True)]
    scores = MirrorConsistency(LeftHalf()).score_crops(crops)
    np.testing.assert_allclose(scores, cosine, atol=1e-6)
    symmetric = np.concatenate([crops[:1, :, :56], crops[:1, :, :56][:, :, ::-1]], axis=2)
    assert MirrorConsistency(LeftHalf()).score_crops(symmetric)[0] == pytest.approx(1, abs=1e-6)
    assert scores.max() < 0.9


def test_dropout_agreement_is_the_papers_sum() -> None:
    samples = np.random.default_rng(0).standard_normal((3, 7, 5)).astype(np.float32)
    samples[2] = samples[2, :1]  # perfect agreement
    expected = []
    for subnetworks in samples:
        unit = [x / np.linalg.norm(x) for x in subnetworks]
        total = sum(np.linalg.norm(a - b) for a, b in itertools.combinations(unit, 2))
        expected.append(2 / (1 + np.exp(2 / 7**2 * total)))
    np.testing.assert_allclose(dropout_agreement(samples), expected, atol=2e-4)
    assert dropout_agreement(samples)[2] > 0.999


# --- from the inside of a torch recogniser ------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny_state() -> dict:
    """An IResNet with few, small, random layers, and a CR-FIQA head."""
    torch = pytest.importorskip("torch")
    from fiqa.evaluation.recognizers.iresnet import IResNet

    torch.manual_seed(3)
    network = IResNet([1, 1, 1, 1], [4, 4, 6, 8, 8], 16, has_quality=True)
    with torch.no_grad():
        for name, value in network.named_buffers():
            if name.endswith("running_var"):
                value.uniform_(0.5, 1.5)
    return network.state_dict()


def without_head(state: dict) -> dict:
    return {key: value for key, value in state.items() if not key.startswith("qs.")}


@pytest.fixture
def files(tiny_state: dict, tmp_path: Path) -> dict[str, str]:
    torch = pytest.importorskip("torch")
    torch.save(without_head(tiny_state), tmp_path / "plain.pt")
    torch.save(tiny_state, tmp_path / "crfiqa.pt")
    return {"plain": str(tmp_path / "plain.pt"), "crfiqa": str(tmp_path / "crfiqa.pt")}


def test_every_torch_rival_by_spec(files: dict[str, str], tiny_state: dict) -> None:
    pytest.importorskip("torch")
    from fiqa.evaluation.recognizers import TorchRecognizer

    crops = random_crops(3)
    plain = TorchRecognizer(without_head(tiny_state), "arcface", device="cpu")
    arcface = f"model={files['plain']},family=arcface"
    with_head = TorchRecognizer(tiny_state, "cr-fiqa", device="cpu")
    literal = with_head.embed(crops) @ tiny_state["qs.weight"][0].numpy() + tiny_state["qs.bias"].item()
    magface = TorchRecognizer(without_head(tiny_state), "magface", device="cpu")
    samples = plain.dropout_embeddings(crops, 20, 0.4)
    for spec, expected in (
        (f"cr-fiqa:model={files['crfiqa']}", literal),
        (f"magface:model={files['plain']}", np.linalg.norm(magface.embed(crops), axis=1)),
        (f"embedding-norm:{arcface}", np.linalg.norm(plain.embed(crops), axis=1)),
        (f"ser-fiq:{arcface},m=20,rate=0.4", dropout_agreement(samples)),
        (f"grafiqs:{arcface}", -plain.statistics_gradient(crops, "block2", "weights")),
        (f"grafiqs:{arcface},level=image,wrt=output", -plain.statistics_gradient(crops, "image", "output")),
        (f"mirror:{arcface},name=m", MirrorConsistency(plain).score_crops(crops)),
    ):
        rival = open_rival(spec)
        scores = rival.score_crops(crops)
        assert scores.shape == (3,)
        assert scores.dtype == np.float32
        np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-6)
        assert rival.passes == RIVALS[spec.partition(":")[0]].passes
        halves = np.concatenate([rival.score_crops(crops[:2]), rival.score_crops(crops[2:])])
        np.testing.assert_allclose(halves, scores, rtol=1e-3, atol=1e-5)
    assert SERFIQ(plain).identity != SERFIQ(plain, seed=1).identity
    assert GraFIQs(plain).identity != GraFIQs(plain, "block3").identity


def test_grafiqs_prefers_images_with_the_training_statistics(tiny_state: dict) -> None:
    """Sign: a network whose BatchNorm layers recorded one image set finds those images better than others."""
    torch = pytest.importorskip("torch")
    from fiqa.evaluation.recognizers import TorchRecognizer

    recognizer = TorchRecognizer(without_head(tiny_state), "arcface", device="cpu")
    smooth = [
        np.asarray(Image.fromarray(crop).filter(ImageFilter.GaussianBlur(4))) for crop in random_crops(8)
    ]
    familiar, strange = np.stack(smooth), random_crops(8, seed=9)
    network = recognizer.network
    layers = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for layer in layers:  # one forward pass in training mode with no memory records these images' statistics
        layer.momentum = 1.0
        layer.train()
    with torch.no_grad():
        network.flat_features(torch.from_numpy(recognizer.preprocess(familiar)))
    network.eval()
    for level, wrt in (("image", "output"), ("block1", "output"), ("block2", "weights")):
        rival = GraFIQs(recognizer, level, wrt)
        assert rival.score_crops(familiar).min() > rival.score_crops(strange).max()


# --- any ONNX quality network -------------------------------------------------------------------------------


def onnx_brightness(path: Path, n_outputs: int) -> Path:
    """Mean of the input, as (B, 1) 'quality' or with a (B, 3) 'embedding' beside it."""
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper

    nodes = [
        helper.make_node("ReduceMean", ["x"], ["embedding"], axes=[2, 3], keepdims=0),
        helper.make_node("ReduceMean", ["embedding"], ["quality"], axes=[1], keepdims=1),
    ]
    infos = {
        "quality": helper.make_tensor_value_info("quality", TensorProto.FLOAT, ["b", 1]),
        "embedding": helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["b", 3]),
    }
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["b", 3, 112, 112])
    graph = helper.make_graph(nodes, "q", [x], list(infos.values())[:n_outputs])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def test_onnx_quality(tmp_path: Path) -> None:
    path = onnx_brightness(tmp_path / "bright.onnx", 1)
    crops = random_crops(3)
    expected = crops.mean((1, 2, 3)) / 255
    rival = open_rival(f"onnx:model={path},preprocess=unit")
    assert rival.name == "bright"
    np.testing.assert_allclose(rival.score_crops(crops), expected, rtol=1e-5)
    worse = open_rival(f"onnx:model={path},preprocess=unit,sign=-1,name=dark")
    np.testing.assert_allclose(worse.score_crops(crops), -expected, rtol=1e-5)
    assert worse.name == "dark"
    both = onnx_brightness(tmp_path / "both.onnx", 2)
    with pytest.raises(DataError, match="choose the quality with output=NAME"):
        OnnxQuality(both).score_crops(crops)
    assert open_rival(f"onnx:model={both},output=quality").score_crops(crops).shape == (3,)
    norm = open_rival(f"embedding-norm:model={both},preprocess=unit,output=embedding")
    recognizer = OnnxRecognizer(both, output="embedding")
    assert norm.score_crops(crops).shape == recognizer.embed(crops)[:, 0].shape


# --- the registry -------------------------------------------------------------------------------------------


def test_registry_is_complete() -> None:
    assert set(RIVALS) >= {
        "magface",
        "cr-fiqa",
        "grafiqs",
        "ser-fiq",
        "onnx",
        "embedding-norm",
        "mirror",
        "sharpness",
        "face-size",
        "detector-score",
    }
    for name, info in RIVALS.items():
        assert info.name == name
        assert info.passes >= 0
        assert info.source
        assert info.licence
    np.testing.assert_array_equal(
        open_rival("sharpness").score_crops(random_crops(2)), Sharpness().score_crops(random_crops(2))
    )


def test_the_default_detector_sees_no_face_in_noise() -> None:
    if importlib.util.find_spec("mtcnn") is None:  # importing it would ask for TensorFlow
        pytest.skip("needs the extra 'detect'")
    rival = open_rival("detector-score")
    assert rival.passes == RIVALS["detector-score"].passes
    assert rival.score_crops(random_crops(1)).tolist() == [0]


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        ("sharpnes", UnknownName, "Did you mean 'sharpness'"),
        ("face-size", UsageError, "not on crops"),
        ("sharpness:radius=2", UnknownName, "no option of sharpness 'radius'"),
        ("mirror", UsageError, "write 'mirror:model=FILE'"),
        ("mirror:model", UsageError, "must be option=value, but got 'model'"),
        ("ser-fiq:model=a.onnx", UsageError, "can't be looked into"),
        ("ser-fiq:model=a.pt,m=ten", UsageError, "m of ser-fiq must be a whole number"),
        ("grafiqs:model=a.pt,family=arcface,flip=yes", UsageError, "flip=yes does not go"),
        ("grafiqs:model=a.pt", UsageError, "needs its family"),
        ("onnx:model=a.onnx,sign=2", UsageError, "1 or -1"),
        ("onnx:model=a.onnx,size=2", UnknownName, "no option of onnx 'size'"),
        ("onnx:model=a.onnx", DataError, r"a\.onnx can't be read"),
    ],
)
def test_wrong_specs(spec: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        open_rival(spec)


def test_a_rival_must_run_its_network(tmp_path: Path) -> None:
    np.savez(tmp_path / "e.npz", names=np.array(["a"]), embeddings=np.ones((1, 2)))
    with pytest.raises(UsageError, match="must run the network"):
        open_rival(f"embedding-norm:model={tmp_path / 'e.npz'}")


def test_torch_is_imported_only_when_used() -> None:
    code = "import sys, fiqa.evaluation.rivals; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_rival_of_ones_own_is_a_dataclass_and_a_double_name_is_refused(monkeypatch) -> None:
    monkeypatch.setattr(RIVALS, "_things", dict(RIVALS))

    @RIVALS.register
    @dataclass(frozen=True, kw_only=True)
    class Brightness(RivalSpec):
        name: ClassVar[str] = "brightness"
        passes: ClassVar[float] = 0
        gain: float = specs.option(1.0, read=specs.number, expects="a number")

        def open(self) -> Opened:
            return Opened(self.gain)

    class Opened:
        name, passes = "brightness", 0

        def __init__(self, gain: float) -> None:
            self.gain, self.identity = gain, f"brightness:{gain}"

        def score_crops(self, crops: np.ndarray) -> np.ndarray:
            return self.gain * crops.mean((1, 2, 3))

    crops = random_crops(2)
    rival = open_rival("brightness:gain=2,name=light")
    assert rival.name == "light"
    np.testing.assert_allclose(rival.score_crops(crops), 2 * crops.mean((1, 2, 3)))
    with pytest.raises(UsageError, match="gain of brightness must be a number, but got '١'"):
        open_rival("brightness:gain=١")
    assert Brightness.options() == ("gain=1.0",)

    with pytest.raises(UsageError, match=r"rival 'mirror' .* must have a name of its own"):

        @RIVALS.register
        class Other(RivalSpec):
            name = "mirror"


@pytest.mark.parametrize("name", RIVALS)
def test_every_rival_lists_its_options_or_needs_none(name: str) -> None:
    kind = RIVALS[name]
    assert ("model" in kind.options()) == (kind.needs not in ("nothing", "faces"))
