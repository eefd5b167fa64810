"""Checkpoints that are damaged, or were made to do damage: one DataError each, before memory is taken."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import torch

from fiqa import Scorer
from fiqa.errors import DataError, UsageError
from fiqa.network import describe, load_checkpoint, read_state_dict, save_checkpoint

safetensors_torch = pytest.importorskip("safetensors.torch")
CONFIG = {"width": 16, "depth": 3, "heads": 2, "mlp_width": 24, "patch_size": 16}
ARCFACE = {
    "patch_embed.proj.weight": (16, 3, 16, 16),
    "patch_embed.proj.bias": (16,),
    "pos_embed": (1, 49, 16),
    "norm.weight": (16,),
    "norm.bias": (16,),
    "blocks.0.norm1.weight": (16,),
    "blocks.0.norm1.bias": (16,),
    "blocks.0.norm2.weight": (16,),
    "blocks.0.norm2.bias": (16,),
    "blocks.0.attn.qkv.weight": (48, 16),
    "blocks.0.attn.proj.weight": (16, 16),
    "blocks.0.attn.proj.bias": (16,),
    "blocks.0.mlp.fc1.weight": (24, 16),
    "blocks.0.mlp.fc1.bias": (24,),
    "blocks.0.mlp.fc2.weight": (16, 24),
    "blocks.0.mlp.fc2.bias": (16,),
}


@pytest.fixture
def state():
    """A network of one block in a published layout."""
    return {key: torch.full(shape, 0.1) for key, shape in ARCFACE.items()}


def _with(**changes):
    def change(state):
        return {**state, **{key.replace("__", "."): value for key, value in changes.items()}}

    return change


def _poisoned(value, key="blocks.0.attn.proj.weight", dtype=torch.float32):
    def change(state):
        state[key] = state[key].to(dtype)
        state[key].view(-1)[3] = value
        return state

    return change


BAD = {
    "NaN": (
        _poisoned(float("nan")),
        r"1 of the 256 numbers of 'blocks.0.attn.proj.weight' are NaN or infinite",
    ),
    "infinite": (_poisoned(float("-inf"), "pos_embed"), "of 'pos_embed' are NaN or infinite"),
    "infinite in float32 only": (_poisoned(1e300, dtype=torch.float64), "are NaN or infinite"),
    "integer keys": (lambda state: {**state, 7: torch.zeros(2)}, "must be names, but it has the int 7"),
    "only integer keys": (
        lambda state: dict(enumerate(state.values())),
        "must be names, but it has the int 0",
    ),
    "a key beside prefixed ones": (
        lambda state: {**{f"module.{key}": v for key, v in state.items()}, "epoch": torch.tensor(3)},
        r"of 17 keys 1 lack the prefix 'module.' that the others have, first 'epoch'",
    ),
    "block 10⁹": (
        _with(blocks__1000000000__norm1__weight=torch.zeros(16)),
        "at most 1000 blocks, but a key of this file is in block 1000000000",
    ),
    "a block of 5,000 digits": (
        lambda state: {**state, f"blocks.{'9' * 5000}.norm1.weight": torch.zeros(16)},
        "no vision transformer",
    ),
    "positions without a length": (_with(pos_embed=torch.zeros(())), "no vision transformer"),
    "positions in a row": (_with(pos_embed=torch.zeros(16)), "no vision transformer"),
    "no positions": (_with(pos_embed=torch.zeros(1, 0, 16)), "patch|transformer"),
    "patches of nothing": (_with(patch_embed__proj__weight=torch.zeros(16, 3, 0, 0)), "has patches"),
    "10¹² numbers that are one": (
        lambda state: {
            key: torch.zeros(1).expand(
                [side * 1000 if side in (16, 24, 48) else side for side in value.shape]
            )
            if key.endswith("fc1.weight") or "fc" in key or "norm" in key or "attn" in key or "pos" in key
            else torch.zeros(1).expand([16000, *value.shape[1:]])
            for key, value in state.items()
        },
        "is said to hold .* numbers, but the file has 1 of them",
    ),
    "a sparse tensor": (_with(pos_embed=torch.zeros(1, 49, 16).to_sparse()), "no plain tensor|plain tensors"),
    "a nested state": (lambda state: {"a": {"b": state}}, "holds no state dict"),
}


@pytest.mark.parametrize("old", [False, True], ids=["zip", "old format"])
@pytest.mark.parametrize("kind", BAD)
def test_a_bad_checkpoint_is_one_data_error(kind, old, state, tmp_path):
    change, message = BAD[kind]
    path = tmp_path / "bad.pt"
    torch.save(change(state), path, _use_new_zipfile_serialization=not old)
    with pytest.raises(DataError, match=message) as caught:
        load_checkpoint(path, heads=2)
    assert "\n" not in str(caught.value)


def test_the_same_network_undamaged_is_loaded(state, tmp_path):
    torch.save(state, tmp_path / "good.pt")
    assert load_checkpoint(tmp_path / "good.pt", heads=2).depth == 1


# ---------------------------------------------------------------- pickles


def _nested(make, depth=200_000):
    """A pickle of a dict whose key nests ``depth`` deep; Python itself could not write it."""
    return b"\x80\x02}" + make(depth) + b"K\x01s."


PICKLES = {
    "tuples in tuples as a key": (_nested(lambda n: b")" + b"\x85" * n), "nests values more than 64 deep"),
    "tuples of two as a key": (_nested(lambda n: b")" * (n + 1) + b"\x86" * n), "nests values more than 64"),
    "tuples by marks as a key": (_nested(lambda n: b"(" * n + b"t" * n), "nests values more than 64 deep"),
    "tuples from the memo": (
        _nested(lambda n: b")q\x00" + b"0h\x00\x85q\x00" * n + b"0h\x00"),
        "nests values more than 64 deep",
    ),
    "lists in lists": (
        b"\x80\x02" + b"]" * 200_000 + b"a" * 199_999 + b".",
        "nests values more than 64 deep",
    ),
    "an integer of 3,000 bytes": (
        b"\x80\x02\x8b" + (3000).to_bytes(4, "little") + b"\x7f" * 3000 + b".",
        "an integer of 23999 bits",
    ),
    "an integer of 5,000 digits": (b"L" + b"9" * 5000 + b"L\n.", "can't be read"),
    "nothing on the stack": (b"\x80\x02\x85.", "can't be read"),
    "an end without a beginning": (b"\x80\x02t.", "can't be read"),
}


def test_hostile_pickles_are_refused_before_they_are_built(tmp_path):
    """In a process of its own, since a stack overflow would end this one."""
    front = b"".join(pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, {}))
    for kind, (content, _) in PICKLES.items():
        with zipfile.ZipFile(tmp_path / f"{kind}, zip.pt", "w") as archive:
            archive.writestr("archive/data.pkl", content)
            archive.writestr("archive/version", "3\n")
        (tmp_path / f"{kind}, old.pt").write_bytes(front + content)
    code = (
        "import sys, pathlib; from fiqa import load_checkpoint\n"
        "for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):\n"
        "    try: load_checkpoint(path, heads=2)\n"
        "    except Exception as error: print(path.stem, type(error).__name__, error, sep=': ')"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    assert len(said) == 2 * len(PICKLES)
    for kind, (_, message) in PICKLES.items():
        for form in ("zip", "old"):
            assert said[f"{kind}, {form}"].startswith("DataError: "), said
            assert message in said[f"{kind}, {form}"]


def test_a_record_that_would_unpack_to_any_size_is_refused(state, tmp_path):
    torch.save(state, tmp_path / "good.pt")
    with (
        zipfile.ZipFile(tmp_path / "good.pt") as good,
        zipfile.ZipFile(tmp_path / "bad.pt", "w", zipfile.ZIP_DEFLATED) as bad,
    ):
        for name in good.namelist():
            bad.writestr(name, good.read(name))
    with pytest.raises(DataError, match="compressed: save the network's state_dict"):
        load_checkpoint(tmp_path / "bad.pt", heads=2)


def test_a_whole_training_state_is_still_read(tmp_path):
    """Many entries put into one container one after the other are not nested."""
    network = torch.nn.Sequential(*(torch.nn.Linear(3, 3) for _ in range(300)))
    optimiser = torch.optim.AdamW(network.parameters())
    network(torch.zeros(1, 3)).sum().backward()
    optimiser.step()
    for old in (False, True):
        torch.save(
            {"state_dict": network.state_dict(), "optimiser": optimiser.state_dict(), "epoch": 3},
            tmp_path / "training.pt",
            _use_new_zipfile_serialization=not old,
        )
        assert len(read_state_dict(tmp_path / "training.pt")[0]) == 600


# ---------------------------------------------------------------- metadata of .safetensors


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("fiqa.config", "[" * 100_000),
        ("fiqa.config", json.dumps({**CONFIG, "depth": 10**9})),
        ("fiqa.config", json.dumps({**CONFIG, "depth": 10**400})),
        ("fiqa.config", json.dumps({**CONFIG, "depth": 3.0})),
        ("fiqa.config", json.dumps({**CONFIG, "width": "16"})),
        ("fiqa.config", json.dumps({**CONFIG, "image_size": 10**9})),
        ("fiqa.config", json.dumps({**CONFIG, "mean": ["a", 0, 0]})),
        ("fiqa.config", json.dumps({**CONFIG, "std": [0.5, 0.5]})),
        ("fiqa.config", json.dumps({**CONFIG, "std": [0.5, 0.5, 0]})),
        ("fiqa.config", json.dumps({**CONFIG, "norm_eps": float("nan")})),
        ("fiqa.config", json.dumps({**CONFIG, "stem": ["patch"]})),
        ("fiqa.config", json.dumps({**CONFIG, "head": "linear"})),
        (
            "fiqa.config",
            json.dumps({**CONFIG, "patch_size": 8, "stem": "convnext", "stem_depths": [10**9, 1]}),
        ),
        ("fiqa.config", json.dumps({**CONFIG, "patch_size": 8, "stem": "convnext", "stem_widths": [4]})),
        ("fiqa.config", json.dumps({**CONFIG, "patch_size": 8, "stem": "convnext", "stem_kernels": [4, 4]})),
        ("fiqa.config", "7"),
        ("fiqa.card", "[" * 100_000),
        ("fiqa.card", json.dumps({"name": "x", "depth": 10**9, "grid": [7, 7]})),
        ("fiqa.card", json.dumps({"name": "x", "depth": 4, "grid": [7, 7]})),
        ("fiqa.card", json.dumps({"name": "x", "depth": 3, "grid": [14, 14]})),
    ],
)
def test_metadata_that_lies_is_a_data_error(key, text, make_vit, tmp_path):
    vit, path = make_vit(0), tmp_path / "own.safetensors"
    metadata = {"fiqa.config": json.dumps(CONFIG), "fiqa.card": describe(vit).to_json(), key: text}
    safetensors_torch.save_file({k: t.clone() for k, t in vit.state_dict().items()}, path, metadata=metadata)
    with pytest.raises(DataError) as caught:
        load_checkpoint(path)
    assert len(str(caught.value)) < 500


def test_what_is_not_finite_is_not_written(make_vit, tmp_path):
    vit = make_vit(0)
    vit.norm.weight[2] = 1e5  # finite, but not in float16
    save_checkpoint(vit, tmp_path / "whole.safetensors")
    with pytest.raises(
        UsageError, match=r"'norm.weight' has numbers that are NaN or infinite in torch.float16"
    ):
        save_checkpoint(vit, tmp_path / "half.safetensors", half=True)
    assert [path.name for path in tmp_path.iterdir()] == ["whole.safetensors"]


# ---------------------------------------------------------------- what is seen only when it runs


def test_a_face_whose_numbers_are_not_finite_has_failed(make_vit, crops):
    """Finite weights that overflow in the pass."""
    from fiqa.calibration import Calibration, Profile

    vit = make_vit(0)
    vit.stem.proj.weight.mul_(0)
    vit.stem.proj.weight[0] = 1.0
    vit.stem.proj.bias[0] = 0
    vit.blocks[0].norm1.weight.mul_(3e38)
    name = "attn:reduce=mean,block=1"
    profile = Profile(
        "vit", {name: Calibration(spec=name, raw=(-1e30, 1e30), score=(0.0, 100.0), meaning="per cent")}
    )
    scorer = Scorer(vit, [name], engine="torch", align="none", threads=1, profile=profile)
    found = scorer.qualities(crops)
    assert {one.status for one in found} == {"failed"}
    assert all("no finite number for this face: attn" in one.reason for one in found)
    assert all(one.score is None and not one.raw for one in found)


def test_one_failed_face_does_not_touch_its_neighbours(crops):
    from fiqa.evidence import Evidence

    scorer = Scorer(methods=["attn", "exit-depth"], threads=1, align="none")
    good = scorer.qualities(crops)
    inner = scorer._engine

    class Faulty:
        name, precision, card = inner.name, inner.precision, inner.card

        def run(self, crops, wanted):
            found = {name: values.copy() for name, values in inner.run(crops, wanted).items()}
            next(iter(found.values()))[1] = np.nan
            return Evidence(found, self.card.grid)

    scorer._engine = Faulty()
    found = scorer.qualities(crops)
    assert [one.status for one in found] == ["ok", "failed", "ok", "ok", "ok"]
    assert found[1].score is None
    assert found[1].reason == "the network gives no finite number for this face: attn, attn's map"
    assert [one.score for one in found if one.ok] == [one.score for i, one in enumerate(good) if i != 1]
