"""The default detector from inside: its graphs, their weights, suppression, settings."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiqa.errors import UsageError

needs_mtcnn = pytest.mark.skipif(
    importlib.util.find_spec("mtcnn") is None or importlib.util.find_spec("joblib") is None,
    reason="detection needs the extra detect",
)


@needs_mtcnn
def test_detection_does_not_import_tensorflow_or_the_package() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from fiqa.faces import default_detector; default_detector();"
        "print(sorted({'mtcnn', 'tensorflow', 'torch', 'onnx'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@needs_mtcnn
def test_graphs_are_what_their_script_writes(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    from tools import mtcnn_graphs as graphs

    import fiqa.faces.mtcnn

    graphs.write(tmp_path)
    for name in graphs.GRAPHS:
        shipped = onnx.load_model_from_string(
            Path(fiqa.faces.mtcnn.__file__).with_name(f"{name}.onnx").read_bytes()
        )
        assert onnx.load_model_from_string((tmp_path / f"{name}.onnx").read_bytes()) == shipped


@needs_mtcnn
def test_networks_compute_what_the_architecture_says() -> None:
    """R- and O-Net against torch's own layers, with the weights as the wheel stores them."""
    torch = pytest.importorskip("torch")
    from torch.nn import functional as F

    from fiqa.faces.mtcnn.detector import _session, read_weights

    rng = np.random.default_rng(0)
    pools = {"rnet": ((3, True), (3, False)), "onet": ((3, True), (3, False), (2, True))}
    for name, side, n_heads in (("rnet", 24, 2), ("onet", 48, 3)):
        patches = rng.integers(0, 256, (4, side, side, 3), dtype=np.uint8)
        weights = [torch.from_numpy(w) for w in read_weights(name)]
        x = torch.from_numpy((patches.transpose(0, 3, 1, 2) - 127.5) / 128).float()
        at = 0
        while weights[at].ndim == 4:
            x = F.conv2d(x, weights[at], weights[at + 1])
            x = F.prelu(x, weights[at + 2].flatten())
            if at // 3 < len(pools[name]):
                kernel, padded = pools[name][at // 3]
                x = F.max_pool2d(x, kernel, 2, ceil_mode=padded)
            at += 3
        x = x.permute(0, 3, 2, 1).flatten(1) @ weights[at] + weights[at + 1]
        x = F.prelu(x, weights[at + 2])
        heads = [x @ weights[at + 3 + 2 * i] + weights[at + 4 + 2 * i] for i in range(n_heads)]
        heads[-1] = heads[-1].softmax(1)
        for ours, theirs in zip(_session(name, 1).run(None, {"image": patches}), heads, strict=True):
            np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-3, atol=1e-4)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.integers(0, 40), st.floats(0.1, 0.9), st.booleans())
def test_suppression_against_the_plain_loop(seed: int, n: int, limit: float, of_smaller: bool) -> None:
    from fiqa.faces.mtcnn.detector import suppress

    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 50, (n, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(5, 40, (n, 2))], axis=1).astype(np.float32)
    score = rng.permutation(n).astype(np.float32)

    def overlap(a: np.ndarray, b: np.ndarray) -> float:
        w = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
        h = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
        areas = [(c[2] - c[0]) * (c[3] - c[1]) for c in (a, b)]
        return w * h / (min(areas) if of_smaller else sum(areas) - w * h)

    expected: list[int] = []
    for i in sorted(range(n), key=lambda i: -score[i]):
        if all(overlap(boxes[i].astype(float), boxes[j].astype(float)) <= limit for j in expected):
            expected.append(i)
    assert suppress(boxes, score, limit, of_smaller=of_smaller).tolist() == expected


def test_detector_settings_are_checked() -> None:
    from fiqa.faces.mtcnn.detector import Mtcnn

    for setting in ("min_face", "max_side"):
        with pytest.raises(UsageError, match=setting):
            Mtcnn(**{setting: 5})
