"""What frozen networks see of every face, once: features to fit quality heads on, without training a network.

    python training/frozen.py runs/faces --network default.safetensors \\
        --teachers edgeface_xs.onnx edgeface_xxs.onnx --out runs/frozen

Reads a folder that `data.py` packed, and knows each of its n faces in two views: 0 is the crop itself, 1 is
warped, recoloured and mostly degraded (``VIEW``), and now and then no upright face at all (`stray`). Writes

* ``views.npy`` (n, 112, 112, 3) uint8: view 1,
* ``0-vit.npy``, ``1-vit.npy`` (n, L, 3, D) float16: the network's tokens at each exit, after the final
  LayerNorm: the quality token, and mean and standard deviation of the patches (``KINDS``),
* ``0-TEACHER.npy``, ``1-TEACHER.npy`` (n, F) float16: a teacher's embedding, and what `teacher_features`
  keeps of its maps.

Every file has a ``.rows`` beside it, the number of rows done: stop at any time, start again, it goes on.
Deterministic: the views of a block of rows depend on the seed and the block's first row only.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from augment import AugmentConfig, augment
from fiqa import load_checkpoint
from fiqa.network.config import QUALITY_FEATURES
from fiqa.network.quality import quality_features

KINDS = QUALITY_FEATURES
VIEW = AugmentConfig(degraded=0.7, local=0.0)
STRAY = 0.06  # share of the second views that are no upright face
BLOCK = 256
Rows = Callable[[int, NDArray[np.uint8]], NDArray[np.generic]]


class Tokens(nn.Module):
    """uint8 crops (B, 112, 112, 3) → (B, L, 3, D): each exit's tokens after the final norm, as ``KINDS``."""

    def __init__(self, network: Path) -> None:
        super().__init__()
        self.vit = load_checkpoint(network, keep="exits")

    def forward(self, crops: Tensor) -> Tensor:
        found = []
        for state in self.vit.walk(crops):
            normed = self.vit.norm(state.tokens)
            features = quality_features(normed, state.n_prefix, KINDS)
            found.append(features.unflatten(1, (len(KINDS), -1)))
        return torch.stack(found, 1)


def compiled(network: Path) -> Rows:
    """`Tokens` on one thread, through OpenVINO where it is installed: 20 ms a crop in place of 28."""
    tokens = Tokens(network).eval()
    try:
        import openvino
    except ModuleNotFoundError:
        return lambda _, crops: tokens(torch.from_numpy(crops)).numpy().astype(np.float16)
    example = torch.zeros(2, 112, 112, 3, dtype=torch.uint8)
    model = openvino.convert_model(tokens, example_input=example, input=[("crops", [-1, 112, 112, 3])])
    options = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    run = openvino.Core().compile_model(model, "CPU", options)
    return lambda _, crops: run(crops)[0].astype(np.float16)


def teacher_features(embedding: NDArray[np.float32], maps: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Embedding (B, E) and maps (B, C, H, W) → (B, F), the embedding first, as it is, then its norm.

    Of each map mean, standard deviation and maximum over its cells, and every 7th cell of the last.
    """
    parts = [embedding, np.linalg.norm(embedding, axis=1, keepdims=True)]
    cells = [m.reshape(*m.shape[:2], -1) for m in maps]
    parts += [reduce(c, axis=2) for c in cells for reduce in (np.mean, np.std, np.max)]
    if cells:
        parts.append(cells[-1][:, :, ::7].reshape(len(embedding), -1))
    return np.concatenate(parts, 1)


def teacher(path: Path) -> Rows:
    """An ONNX recogniser, embedding first and perhaps ``map14`` and ``map7``, on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    wanted = [names[0], *(m for m in ("map14", "map7") if m in names)]

    def run(_: int, crops: NDArray[np.uint8]) -> NDArray[np.float16]:
        x = np.ascontiguousarray(crops.transpose(0, 3, 1, 2), np.float32) / 127.5 - 1
        embedding, *maps = session.run(wanted, {session.get_inputs()[0].name: x})
        return teacher_features(embedding, maps).astype(np.float16)

    return run


def stray(crop: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """A crop that no recogniser can use: turned, upside down, its quarters shuffled, noise, or one colour."""
    match rng.integers(5):
        case 0 | 1:
            return np.rot90(crop, rng.integers(1, 4))
        case 2:
            half = len(crop) // 2
            quarters = [crop[y : y + half, x : x + half] for y in (0, half) for x in (0, half)]
            a, b, c, d = (quarters[i] for i in (rng.integers(1, 4) + np.arange(4)) % 4)
            return np.block([[[a], [b]], [[c], [d]]])
        case 3:
            return rng.integers(0, 256, crop.shape, dtype=np.uint8)
        case _:
            return np.broadcast_to(rng.integers(0, 256, 3, dtype=np.uint8), crop.shape)


def second_views(seed: int) -> Rows:
    """Crops of a block → their second views, drawn from the seed and the block's first row."""

    def run(first: int, crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
        generator = torch.Generator().manual_seed(seed * 1_000_003 + first)
        views = augment(torch.from_numpy(crops), VIEW, generator)[0].numpy()
        rng = np.random.default_rng((seed, first))
        for i in np.flatnonzero(rng.random(len(views)) < STRAY):
            views[i] = stray(views[i], rng)
        return views

    return run


def load_done(path: Path) -> NDArray[np.generic]:
    """The rows of an array that are there already, mapped; those that follow are still to come."""
    return np.load(path, mmap_mode="r")[: int(Path(f"{path}.rows").read_text())]


def fill(path: Path, crops: NDArray[np.uint8], run: Rows, batch: int, rows: int) -> None:
    """Write ``run`` of the first ``rows`` crops to ``path``, going on where an earlier call stopped."""
    done_file = Path(f"{path}.rows")
    done = int(done_file.read_text()) if done_file.exists() else 0
    if done >= rows:
        return
    with torch.inference_mode():
        probe = run(0, np.array(crops[:1]))
        mode = "r+" if path.exists() and done else "w+"
        out = np.lib.format.open_memmap(path, mode, probe.dtype, (len(crops), *probe.shape[1:]))
        for start in range(done, rows, BLOCK):
            stop = min(start + BLOCK, len(crops))
            for first in range(start, stop, batch):
                part = slice(first, min(first + batch, stop))
                out[part] = run(first, np.array(crops[part]))
            out.flush()
            temporary = Path(f"{done_file}.part")
            temporary.write_text(str(stop))
            os.replace(temporary, done_file)
            if start % (16 * BLOCK) == 0:
                print(f"{path.name}: {stop} of {rows}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("faces", type=Path, help="folder that data.py wrote")
    parser.add_argument("--network", type=Path, help="checkpoint of the network whose heads are to be fitted")
    parser.add_argument("--teachers", type=Path, nargs="*", default=[], help="ONNX recognisers")
    parser.add_argument("--views", type=int, nargs="+", default=[0, 1], choices=[0, 1])
    parser.add_argument("--rows", type=int, help="only so many faces, the first ones; more may follow later")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    crops = np.load(args.faces / "crops.npy", mmap_mode="r")
    rows = min(args.rows or len(crops), len(crops))
    if 1 in args.views:
        fill(args.out / "views.npy", crops, second_views(args.seed), BLOCK, rows)
    for view in args.views:
        seen = np.load(args.out / "views.npy", mmap_mode="r") if view else crops
        for path in args.teachers:
            fill(args.out / f"{view}-{path.stem}.npy", seen, teacher(path), 64, rows)
        if args.network:
            fill(args.out / f"{view}-vit.npy", seen, compiled(args.network), 16, rows)


if __name__ == "__main__":
    main()
