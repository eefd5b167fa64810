"""The reference material in → the small files of ``tests/fixtures/`` out.

``python tools/make_fixtures.py FOLDER`` writes them; with ``--check`` it only says whether they differ.
What is left out, and why that is enough, stands in ``tests/fixtures/README.md``.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

FIXTURES = Path(__file__).resolve().parents[1] / "tests" / "fixtures"
NETWORKS = ("fr_vit", "vitfiqa_token", "vitfiqa_crfiqa", "vitfiqa_full")
CURVES = ("edc", "edc_ties")
LAYOUTS = "checkpoint_layouts.json"
N_CROPS = {"fr_vit": 6}  # else one
N_FLATTENED = 256  # of CurricularFace's 25,088 flattened features

# Two thirds of the weights are the matrix of the embedding's head. Its rounding enters the embedding once, as
# the mean over thousands of summands; every other weight acts in all blocks and stays as it was (23 bits).
HEAD, HEAD_BITS = "feature.0.weight", 13
HEADLESS = ("fr_vit", "vitfiqa_token")  # the other two read their quality off the embedding


def rounded(values: np.ndarray, bits: int) -> np.ndarray:
    """float32 values, each the nearest that has only ``bits`` bits of mantissa."""
    step = np.uint64(1 << (23 - bits))
    raw = np.ascontiguousarray(values, np.float32).view(np.uint32).astype(np.uint64)
    return ((raw + step // 2) // step * step).astype(np.uint32).view(np.float32)


def packed(state: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A state dict as two arrays: what each tensor is, and their bytes, those of one meaning together."""
    index = [[key, list(values.shape), str(values.dtype)] for key, values in state.items()]
    flat = np.concatenate([values.ravel().astype(np.float32) for values in state.values()])
    planes = flat.view(np.uint8).reshape(-1, 4).T  # (4, n values)
    return {"weights.index": np.array(json.dumps(index)), "weights.bytes": np.ascontiguousarray(planes)}


def network(folder: Path, name: str) -> dict[str, np.ndarray]:
    """The weights of a small network, its config, and its reference numbers for the first crops."""
    arrays = dict(np.load(folder / f"{name}.npz"))
    n_crops = len(arrays["images_rgb"])
    n = N_CROPS.get(name, 1)
    kept = {key: value[:n] if len(value) == n_crops else value for key, value in arrays.items()}
    config = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))["config"]
    loaded = torch.load(folder / f"{name}.pt", weights_only=True)
    state = {key: tensor.numpy() for key, tensor in loaded.items()}
    head = next(key for key in state if key.endswith(HEAD))
    state[head] = rounded(state[head], HEAD_BITS)
    if name in HEADLESS:
        state[head] = np.zeros_like(state[head])
        kept = {key: value for key, value in kept.items() if key not in ("embedding", "embeddings")}
    return {**kept, "weights.config": np.array(json.dumps(config)), **packed(state)}


def recognizer_outputs(folder: Path) -> dict[str, np.ndarray]:
    """The recognisers' outputs for the first crop; of the flattened features only the first."""
    arrays = {key: value[:1] for key, value in np.load(folder / "recognizer_outputs.npz").items()}
    flattened = "curricularface_ir101.out1"
    return {**arrays, flattened: arrays[flattened][:, :N_FLATTENED]}


def curves(folder: Path, name: str) -> dict[str, np.ndarray]:
    """Comparisons and their curves, exact; without the embeddings that the similarities came from."""
    return {key: value for key, value in np.load(folder / f"{name}.npz").items() if key != "embeddings"}


def _npz(arrays: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def files(folder: Path) -> dict[str, bytes]:
    """File name → content, of every fixture."""
    arrays = {name: network(folder, name) for name in NETWORKS}
    arrays |= {name: curves(folder, name) for name in CURVES}
    arrays["recognizer_outputs"] = recognizer_outputs(folder)
    layouts = json.dumps(json.loads((folder / LAYOUTS).read_text(encoding="utf-8")), separators=(",", ":"))
    contents = {f"{name}.npz": _npz(values) for name, values in arrays.items()}
    return {**contents, f"{LAYOUTS}.gz": gzip.compress(layouts.encode(), mtime=0)}


def _content(name: str, data: bytes) -> Any:
    """What a fixture holds: its bytes depend on the version of zlib, its content does not."""
    if name.endswith(".gz"):
        return gzip.decompress(data)
    return {key: (value.dtype.str, value.tobytes()) for key, value in np.load(io.BytesIO(data)).items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="the reference material")
    parser.add_argument("--check", action="store_true", help="compare with the fixtures that are there")
    arguments = parser.parse_args()
    made = files(arguments.folder)
    if arguments.check:
        old = [n for n, new in made.items() if _content(n, (FIXTURES / n).read_bytes()) != _content(n, new)]
        print("differ: " + ", ".join(old) if old else "the fixtures are those of the reference material")
        return int(bool(old))
    for name, data in made.items():
        (FIXTURES / name).write_bytes(data)
        print(f"{len(data):>9,} {name}")
    print(f"{sum(map(len, made.values())):>9,} bytes in all")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
