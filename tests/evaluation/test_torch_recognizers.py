"""The torch recognisers: against the reference outputs, strict loading, what rivals look into."""

from __future__ import annotations

import gc
import zlib
from pathlib import Path

import numpy as np
import pytest
from tests.evaluation.judges import random_crops

from fiqa.errors import CheckpointMismatch, DataError, UnknownName, UsageError
from fiqa.evaluation.recognizers import (
    open_recognizer,
)


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
