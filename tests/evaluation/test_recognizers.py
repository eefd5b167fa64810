"""Recognisers: against the reference outputs, strict loading, ONNX input layouts, cache and batching."""

from __future__ import annotations

import gc
import sqlite3
import subprocess
import sys
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image

from fiqa import specs
from fiqa.errors import CheckpointMismatch, DataError, UnknownName, UsageError
from fiqa.evaluation.datasets import read_pairs
from fiqa.evaluation.metrics.verification import cosine_similarity
from fiqa.evaluation.recognizers import (
    RECOGNIZERS,
    FlipFusion,
    OnnxNetwork,
    OnnxRecognizer,
    Preprocess,
    RecognizerSpec,
    VectorCache,
    open_recognizer,
    preprocess_named,
)


def random_crops(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, 112, 112, 3), dtype=np.uint8)


# --- the torch recognisers ----------------------------------------------------------------------------------


def filled(shapes: dict[str, list[int]]) -> dict:
    """A state dict by the fill rule of the reference numbers."""
    torch = pytest.importorskip("torch")
    # a PReLU is the one one-dimensional weight without a bias or a running mean beside it
    norms = {key.rsplit(".", 1)[0] for key in shapes if key.endswith(".running_mean")}
    state = {}
    for key, shape in shapes.items():
        stem, last = key.rsplit(".", 1)
        z = np.random.default_rng(zlib.crc32(key.encode())).standard_normal(shape).astype("f4")
        if last == "num_batches_tracked":
            z = np.zeros(shape, "i8")
        elif last == "running_var":
            z = 0.5 + np.abs(z)
        elif last in ("running_mean", "bias"):
            z = 0.1 * z
        elif len(shape) == 1:
            z = 1 + 0.1 * z if stem in norms else 0.25 + 0.05 * z
        else:
            z = 0.5 * z / np.sqrt(np.prod(shape[1:]), dtype="f4")
        state[key] = torch.from_numpy(np.asarray(z, "i8" if last == "num_batches_tracked" else "f4"))
    return state


@pytest.fixture(scope="module")
def layouts(published_layouts: dict) -> dict[str, dict[str, list[int]]]:
    return {name: layout["keys"] for name, layout in published_layouts.items()}


@pytest.fixture(scope="module")
def outputs(golden) -> dict[str, np.ndarray]:
    return golden("recognizer_outputs")


@pytest.mark.parametrize(
    ("layout", "family", "name"),
    [
        ("iresnet18", "arcface", "arcface-iresnet18"),
        ("iresnet50", "elasticface", "elasticface-iresnet50"),
        ("iresnet100", "arcface", "arcface-iresnet100"),
        ("magface_iresnet50", "magface", "magface-iresnet50"),
        ("magface_iresnet100", "magface", "magface-iresnet100"),
        ("curricularface_ir101", "curricularface", "curricularface-ir101"),
        ("crfiqa_iresnet50", "cr-fiqa", "cr-fiqa-iresnet50"),
    ],
)
def test_reference_outputs(layouts: dict, outputs: dict, layout: str, family: str, name: str) -> None:
    torch = pytest.importorskip("torch")
    from fiqa.evaluation.recognizers import TorchRecognizer

    recognizer = TorchRecognizer(filled(layouts[layout]), family, device="cpu")
    crops = outputs["images_rgb"]
    expected = outputs.get(layout, outputs.get(f"{layout}.out0"))
    assert recognizer.name == name
    np.testing.assert_allclose(recognizer.embed(crops), expected, atol=1e-5 * np.abs(expected).max())
    if family == "cr-fiqa":
        np.testing.assert_allclose(recognizer.quality(crops), outputs[f"{layout}.out1"][:, 0], atol=1e-5)
    else:
        with pytest.raises(UsageError, match="no quality head"):
            recognizer.quality(crops)
    if family == "curricularface":
        network = recognizer.network
        with torch.inference_mode():
            pixels = torch.from_numpy(recognizer.preprocess(crops))
            maps = network.body(network.input_layer(pixels)).flatten(1).numpy()
        kept = outputs[f"{layout}.out1"]  # the first of the flattened features
        np.testing.assert_allclose(maps[:, : kept.shape[1]], kept, rtol=1e-4, atol=1e-4)
    del recognizer
    gc.collect()


def iresnet_shapes(
    n_blocks: tuple[int, ...], widths: tuple[int, ...], n_features: int
) -> dict[str, list[int]]:
    """Keys and shapes of an IResNet, written out from the published layout."""

    def norm(name: str, width: int) -> dict[str, list[int]]:
        values = {f"{name}.{part}": [width] for part in ("weight", "bias", "running_mean", "running_var")}
        return {**values, f"{name}.num_batches_tracked": []}

    shapes = {"conv1.weight": [widths[0], 3, 3, 3], **norm("bn1", widths[0]), "prelu.weight": [widths[0]]}
    for stage, count in enumerate(n_blocks, 1):
        for block in range(count):
            here, n_out = f"layer{stage}.{block}", widths[stage]
            n_in = widths[stage - 1] if block == 0 else n_out
            shapes |= norm(f"{here}.bn1", n_in) | {f"{here}.conv1.weight": [n_out, n_in, 3, 3]}
            shapes |= norm(f"{here}.bn2", n_out) | {f"{here}.prelu.weight": [n_out]}
            shapes |= {f"{here}.conv2.weight": [n_out, n_out, 3, 3]} | norm(f"{here}.bn3", n_out)
            if block == 0:
                shapes |= {f"{here}.downsample.0.weight": [n_out, n_in, 1, 1]} | norm(
                    f"{here}.downsample.1", n_out
                )
    shapes |= norm("bn2", widths[-1])
    shapes |= {"fc.weight": [n_features, widths[-1] * 49], "fc.bias": [n_features]}
    return shapes | norm("features", n_features)


TINY = iresnet_shapes((1, 2, 1, 1), (4, 4, 6, 8, 8), 16)


def test_the_written_out_layout_is_the_published_one(layouts: dict) -> None:
    widths = (64, 64, 128, 256, 512)
    assert iresnet_shapes((2, 2, 2, 2), widths, 512) == layouts["iresnet18"]
    assert iresnet_shapes((3, 13, 30, 3), widths, 512) == layouts["iresnet100"]


def test_iresnet34_and_files_as_published(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from fiqa.evaluation.recognizers import TorchRecognizer

    state = filled(iresnet_shapes((3, 4, 6, 3), (4, 4, 6, 8, 8), 16))
    plain = TorchRecognizer(state, "arcface", device="cpu")
    assert plain.name == "arcface-iresnet34"
    crops = random_crops(2)

    torch.save({f"module.{key}": value for key, value in state.items()}, tmp_path / "parallel.pt")
    parallel = open_recognizer(f"{tmp_path}/parallel.pt:family=arcface", device="cpu")
    np.testing.assert_array_equal(parallel.embed(crops), plain.embed(crops))
    assert parallel.identity == plain.identity

    # MagFace's own: below 'features.module.', with the training's classifier beside it
    magface = {f"features.module.{key}": value for key, value in state.items()}
    torch.save(
        {"epoch": 25, "state_dict": {**magface, "fc.weight": torch.zeros(16, 9)}}, tmp_path / "mag.pth"
    )
    unit = open_recognizer(f"{tmp_path}/mag.pth:family=magface", device="cpu")
    assert not np.allclose(unit.embed(crops), plain.embed(crops), rtol=0.01)  # another input range
    assert unit.identity != plain.identity

    safetensors = pytest.importorskip("safetensors.torch")
    safetensors.save_file({key: value.half() for key, value in state.items()}, tmp_path / "half.safetensors")
    half = open_recognizer(f"{tmp_path}/half.safetensors:family=arcface,name=mine", device="cpu")
    assert half.name == "mine"
    np.testing.assert_allclose(half.embed(crops), plain.embed(crops), atol=0.02)


def test_a_checkpoint_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from fiqa.evaluation.recognizers import TorchRecognizer

    state = filled(TINY)
    for change, error, message in (
        (
            {"layer2.1.bn1.weight": None},
            CheckpointMismatch,
            r"lacks 1 keys \(first: \['layer2.1.bn1.weight'\]\)",
        ),
        ({"extra.weight": torch.zeros(3)}, CheckpointMismatch, "1 unexpected ones .*extra.weight"),
        ({"fc.weight": torch.zeros(16, 40)}, CheckpointMismatch, r"fc.weight is \(16, 40\)"),
        ({"fc.weight": None}, CheckpointMismatch, "lacks 'fc.weight'"),
        ({"layer1.0.bn1.weight": None}, CheckpointMismatch, "no recogniser known here"),
        ({"qs.weight": torch.zeros(1, 16), "qs.bias": torch.zeros(1)}, UsageError, "its keys fit cr-fiqa"),
    ):
        changed = {k: v for k, v in {**state, **change}.items() if v is not None}
        with pytest.raises(error, match=message):
            TorchRecognizer(changed, "arcface")
    with pytest.raises(UsageError, match="its keys fit arcface, elasticface, magface"):
        TorchRecognizer(state, "curricularface")
    with pytest.raises(UnknownName, match="Did you mean 'arcface'"):
        TorchRecognizer(state, "arcfase")
    with pytest.raises(CheckpointMismatch, match="beside the network"):
        TorchRecognizer(
            {**{f"features.{k}": v for k, v in state.items()}, "head.w": torch.zeros(1)}, "magface"
        )
    (tmp_path / "bad.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(DataError, match=r"bad\.pt"):
        TorchRecognizer(tmp_path / "bad.pt", "arcface")
    with pytest.raises(UsageError, match="needs its family"):
        open_recognizer("some.pt")


def test_dropout_embeddings_are_the_literal_ones() -> None:
    torch = pytest.importorskip("torch")
    from fiqa.evaluation.recognizers import TorchRecognizer

    recognizer = TorchRecognizer(filled(TINY), "arcface", device="cpu")
    crops = random_crops(3)
    samples = recognizer.dropout_embeddings(crops, 400, rate=0.3, seed=5)
    assert samples.shape == (3, 400, 16)
    # the last layers are affine and dropout keeps the mean, so the samples average to the embedding
    spread = samples.std(axis=1) / np.sqrt(400)
    assert (np.abs(samples.mean(axis=1) - recognizer.embed(crops)) < 5 * spread + 1e-4).all()
    # a sample is a sample of the whole network with that dropout
    torch.manual_seed(0)
    network = recognizer.network
    with torch.inference_mode():
        flat = network.flat_features(torch.from_numpy(recognizer.preprocess(crops[:1])))
        literal = network.project(
            torch.nn.functional.dropout(flat.expand(4000, -1), 0.3, training=True)
        ).numpy()
    np.testing.assert_allclose(samples[0].std(axis=0), literal.std(axis=0), rtol=0.2)
    # neither the batch nor the call changes an image's samples
    np.testing.assert_allclose(recognizer.dropout_embeddings(crops[2:], 400, 0.3, 5), samples[2:], atol=1e-5)
    with pytest.raises(UsageError, match="n_samples"):
        recognizer.dropout_embeddings(crops, 1)


def test_statistics_gradients_are_the_numerical_ones() -> None:
    torch = pytest.importorskip("torch")
    from fiqa.evaluation.recognizers import TorchRecognizer

    recognizer = TorchRecognizer(filled(TINY), "arcface", device="cpu")
    network = recognizer.network
    crops = random_crops(2)

    def loss(image: np.ndarray) -> float:
        """The loss of one image (1, 3, 112, 112), written out layer by layer in float64."""
        total = 0.0

        def look(layer: object, inputs: tuple) -> None:
            nonlocal total
            x = inputs[0][0].flatten(1)
            mean_error = (x.mean(1) - layer.running_mean) ** 2
            total += float((mean_error + (x.var(1, correction=0) - layer.running_var) ** 2).mean())

        layers = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
        handles = [layer.register_forward_pre_hook(look) for layer in layers]
        with torch.inference_mode():
            network.flat_features(torch.from_numpy(image))
        for handle in handles:
            handle.remove()
        assert len(layers) == 5 * 3 + 4 + 2  # three a block, one a projection, stem and end
        return total

    network.double()
    try:
        pixels = recognizer.preprocess(crops).astype("f8")
        recognizer._input = lambda crops: torch.from_numpy(recognizer.preprocess(crops)).double()
        # weights: the numerical derivative in each weight of one layer
        weights = [p for block in network.stages()[1] for p in block.parameters()]
        index = [i for i, p in enumerate(weights) if p.dim() == 1][2]
        sums = recognizer.statistics_gradient(crops, "block2", "weights")
        weight = weights[index]
        numerical = []
        for position in range(len(weight)):
            values = []
            for step in (1e-5, -1e-5):
                weight.data[position] += step
                values.append(loss(pixels[:1]))
                weight.data[position] -= step
            numerical.append((values[0] - values[1]) / 2e-5)
        for other in weights:
            other.requires_grad_(other is weight)
        target_loss, _ = recognizer._statistics_loss(recognizer._input(crops[:1]), "image")
        (exact,) = torch.autograd.grad(target_loss, weight)
        np.testing.assert_allclose(exact.numpy(), numerical, rtol=1e-4, atol=1e-6)
        assert np.abs(numerical).sum() < sums[0]
        weight.requires_grad_(False)
        # image: the directional derivative along the gradient's sign is the sum of absolute gradients
        image_sums = recognizer.statistics_gradient(crops, "image", "output")
        leaf = torch.from_numpy(pixels[:1]).requires_grad_(True)
        with torch.enable_grad():
            again, target = recognizer._statistics_loss(leaf, "image")
            (gradient,) = torch.autograd.grad(again, target)
        direction = np.sign(gradient.numpy())
        slope = (loss(pixels[:1] + 1e-6 * direction) - loss(pixels[:1] - 1e-6 * direction)) / 2e-6
        np.testing.assert_allclose(image_sums[0], slope, rtol=1e-3)
    finally:
        network.float()
    # an image's sum does not depend on the images beside it, at any level
    single = TorchRecognizer(filled(TINY), "arcface", device="cpu")
    for level, wrt in (
        ("image", "output"),
        ("block1", "output"),
        ("block4", "output"),
        ("block3", "weights"),
    ):
        both = single.statistics_gradient(crops, level, wrt)
        alone = single.statistics_gradient(crops[1:], level, wrt)
        assert both.shape == (2,)
        assert (both > 0).all()
        np.testing.assert_allclose(both[1:], alone, rtol=1e-3)
    assert not any(parameter.requires_grad for parameter in single.network.parameters())
    with pytest.raises(UsageError, match="'output' at level 'image'"):
        single.statistics_gradient(crops, "image", "weights")
    with pytest.raises(UnknownName, match="no level"):
        single.statistics_gradient(crops, "block5")


# --- ONNX ---------------------------------------------------------------------------------------------------


def onnx_mean_colour(
    path: Path, shape: list, kind: str = "FLOAT", outputs: int = 1, name: str = "embedding"
) -> Path:
    """A network whose embedding is the mean colour of its input, in the input's layout."""
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper

    axes = [1, 2] if shape[-1] == 3 else [2, 3]
    batch = shape[0]
    element = getattr(TensorProto, kind)
    nodes = [
        helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["f"], [name], axes=axes, keepdims=0),
        helper.make_node("Neg", [name], ["other"]),
    ]
    infos = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [batch, 3]) for n in ("other", name)]
    graph = helper.make_graph(
        nodes, "mean", [helper.make_tensor_value_info("x", element, shape)], infos[-outputs:]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("kind", ["FLOAT", "FLOAT16", "UINT8"])
@pytest.mark.parametrize(
    "shape",
    [["b", 3, 112, 112], ["b", 112, 112, 3], [1, 3, 112, 112], [4, 112, 112, 3], ["b", 3, "h", "w"]],
)
@pytest.mark.parametrize("channels", ["rgb", "bgr"])
def test_onnx_input_layouts(tmp_path: Path, kind: str, shape: list, channels: str) -> None:
    path = onnx_mean_colour(tmp_path / "mean.onnx", shape, kind)
    crops = random_crops(5)
    recognizer = OnnxRecognizer(path, preprocess_named("half", channels), threads=1)
    expected = crops.mean((1, 2), dtype="f8")
    expected = expected if channels == "rgb" else expected[:, ::-1]
    if kind != "UINT8":
        expected = (expected / 255 - 0.5) / 0.5
    np.testing.assert_allclose(recognizer.embed(crops), expected, atol=2e-3 if kind == "FLOAT16" else 1e-4)
    assert recognizer.embed(crops).dtype == np.float32


def test_onnx_outputs_and_errors(tmp_path: Path) -> None:
    path = onnx_mean_colour(tmp_path / "two.onnx", ["b", 3, 112, 112], outputs=2)
    crops = random_crops(2)
    by_default = OnnxNetwork(path)(crops)
    np.testing.assert_array_equal(by_default, -OnnxNetwork(path, output="other")(crops))
    assert OnnxNetwork(path).identity != OnnxNetwork(path, output="other").identity
    assert OnnxNetwork(path).identity != OnnxNetwork(path, preprocess_named("unit")).identity
    with pytest.raises(UnknownName, match="Did you mean 'embedding'"):
        OnnxNetwork(path, output="embeding")
    with pytest.raises(DataError, match=r"none\.onnx can't be read"):
        OnnxNetwork(tmp_path / "none.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"not a network")
    with pytest.raises(DataError, match=r"bad\.onnx does not load"):
        OnnxNetwork(tmp_path / "bad.onnx")
    for shape in (["b", 3, 224, 224], ["b", 1, 112, 112]):
        with pytest.raises(DataError, match="expected"):
            OnnxNetwork(onnx_mean_colour(tmp_path / "size.onnx", shape))
    for wrong in (crops[0], crops.astype("f4"), crops[:, :100]):
        with pytest.raises(UsageError, match="112"):
            OnnxNetwork(path)(wrong)
    with pytest.raises(UsageError, match="empty"):
        OnnxNetwork(path)(crops[:0])


def test_the_judge_with_a_fixed_batch(shared: Path) -> None:
    recognizer = open_recognizer(
        f"{shared / 'models' / 'mobilefacenet_ms1m.onnx'}:preprocess=imagenet", threads=1
    )
    crops = random_crops(3)
    embeddings = recognizer.embed(crops)
    assert embeddings.shape == (3, 128)
    np.testing.assert_allclose(recognizer.embed(crops[2:]), embeddings[2:], atol=1e-5)


def test_the_judge_on_the_first_fold_of_lfw(shared: Path, tmp_path: Path) -> None:
    """From files to an accuracy; all ten folds give 99.2 %, this one 98.8 %."""
    with tarfile.open(shared / "data" / "lfw112.tar") as tar:
        members = {"/".join(PurePosixPath(member.name).parts[-2:]): member for member in tar.getmembers()}
        pairs = next(member for name, member in members.items() if name.endswith("pairs.txt"))
        lines = tar.extractfile(pairs).read().decode().splitlines()[1:601]
        fields = [line.split("\t") for line in lines]
        shots = {(f[0], f[1]) for f in fields} | {(f[-2] if len(f) == 4 else f[0], f[-1]) for f in fields}
        for person, number in shots:
            name = f"{person}/{person}_{int(number):04d}.jpg"
            (tmp_path / person).mkdir(exist_ok=True)
            (tmp_path / name).write_bytes(tar.extractfile(members[name]).read())
    (tmp_path / "pairs.txt").write_text("\n".join(["1\t300", *lines]))
    data = read_pairs(tmp_path)
    crops = np.stack([np.asarray(Image.open(path)) for path in data.images])
    judge = open_recognizer(f"{shared / 'models' / 'mobilefacenet_ms1m.onnx'}:preprocess=imagenet", threads=1)
    similarity = cosine_similarity(judge.embed(crops), data.pairs)
    accuracy = ((similarity >= 0.27) == data.is_genuine).mean()  # the threshold that the ten folds choose
    assert accuracy == pytest.approx(0.988, abs=0.004)


def test_preprocess_is_the_written_formula() -> None:
    crops = random_crops(1)
    got = Preprocess((0.1, 0.2, 0.3), (0.4, 0.5, 0.6), "bgr")(crops)
    expected = (crops[..., ::-1] / 255 - np.array([0.1, 0.2, 0.3])) / np.array([0.4, 0.5, 0.6])
    np.testing.assert_allclose(got, expected.transpose(0, 3, 1, 2), atol=1e-6)
    np.testing.assert_allclose(preprocess_named("raw")(crops)[0, 2], crops[0, :, :, 2], atol=1e-3)
    with pytest.raises(UsageError, match="'rgb' or 'bgr'"):
        Preprocess(channels="rbg")
    with pytest.raises(UnknownName, match="Did you mean 'imagenet'"):
        preprocess_named("image-net")


# --- running, caching ---------------------------------------------------------------------------------------


class Counting:
    """A recogniser that counts the crops it was given."""

    name = identity = "counting"

    def __init__(self) -> None:
        self.seen = 0

    def embed(self, crops: np.ndarray) -> np.ndarray:
        self.seen += len(crops)
        return crops[:, :2, :2, 0].reshape(len(crops), -1).astype(np.float32)


def test_flip_fusion_is_the_mean_of_both() -> None:
    crops = random_crops(2)
    inner = Counting()
    fused = FlipFusion(inner).embed(crops)
    expected = (inner.embed(crops) + inner.embed(crops[:, :, ::-1])) / 2
    np.testing.assert_array_equal(fused, expected)
    assert FlipFusion(inner).identity != inner.identity


def test_cache_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "c.sqlite").write_bytes(b"these are not the bytes of a database" * 100)
    with pytest.raises(DataError, match="is not a cache"):
        VectorCache(tmp_path / "c.sqlite")
    with VectorCache(tmp_path / "many.sqlite") as cache:  # more keys than SQLite takes parameters at once
        keys = [index.to_bytes(4, "big") for index in range(1200)]
        cache.put("x", {key: np.full(2, index, np.float32) for index, key in enumerate(keys)})
        found = cache.get("x", keys)
        assert [found[key][1] for key in keys] == list(range(1200))
    with sqlite3.connect(tmp_path / "odd.sqlite") as database:
        database.execute("CREATE TABLE vectors (identity TEXT, content BLOB, vector BLOB)")
        database.execute("INSERT INTO vectors VALUES ('x', ?, ?)", (b"key", b"abc"))
    with VectorCache(tmp_path / "odd.sqlite") as cache, pytest.raises(DataError, match="delete it"):
        cache.get("x", [b"key"])
    with sqlite3.connect(tmp_path / "many.sqlite") as database:
        assert database.execute("SELECT count(*) FROM vectors").fetchone() == (1200,)


# --- specs --------------------------------------------------------------------------------------------------


def test_specs(tmp_path: Path) -> None:
    path = onnx_mean_colour(tmp_path / "mean.onnx", ["b", 3, 112, 112], outputs=2)
    crops = random_crops(1)
    spec = f"{path}:preprocess=unit,channels=bgr,output=other,flip=yes,name=judge"
    recognizer = open_recognizer(spec)
    assert recognizer.name == "judge + flip"
    np.testing.assert_allclose(recognizer.embed(crops), -crops.mean((1, 2))[:, ::-1] / 255, atol=1e-4)
    for spec, message in (
        (f"{path}:preproces=unit", "Did you mean 'preprocess'"),
        (f"{path}:flip=1", "must be one of yes, no"),
        (f"{path}:family=arcface", "no option of"),
        ("photo.jpg", r"photo\.jpg is no recogniser"),
    ):
        with pytest.raises(UsageError, match=message):
            open_recognizer(spec)


def test_a_kind_of_recogniser_of_ones_own(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(RECOGNIZERS, "_things", dict(RECOGNIZERS))

    class Constant:
        def __init__(self, path: str, size: int) -> None:
            self.name, self.identity, self._size = Path(path).stem, f"constant:{size}", size

        def embed(self, crops: np.ndarray) -> np.ndarray:
            return np.ones((len(crops), self._size), np.float32)

    @RECOGNIZERS.register
    @dataclass(frozen=True, kw_only=True)
    class ConstantFile(RecognizerSpec):
        name: ClassVar[str] = "constant"
        suffixes: ClassVar[tuple[str, ...]] = (".const",)
        size: int = specs.option(4, read=specs.whole, expects="a whole number")

        def open(self, path: str, *, device: str = "auto", threads: int | None = None) -> Constant:
            return Constant(path, self.size)

    found = open_recognizer(f"{tmp_path}/a,b:c.const:size=3,name=mine")
    assert (found.name, found.embed(random_crops(2)).shape) == ("mine", (2, 3))
    assert open_recognizer(f"{tmp_path}/a,b:c.const").name == "a,b:c"
    with pytest.raises(UsageError, match=r"expected a file of .*\.const"):
        open_recognizer("photo.jpg")


def test_torch_is_imported_only_when_used() -> None:
    code = (
        "import sys, fiqa.evaluation.recognizers, fiqa.evaluation.datasets; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
