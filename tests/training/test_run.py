"""Runs of a few steps: packing, learning, resuming, the shipped copy, and the recipe for labelled faces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from augment import AugmentConfig
from config import TrainConfig
from data import expected_quality, load
from fiqa import Scorer, load_checkpoint, save_checkpoint
from fiqa.network import ViTConfig
from fiqa.network.stems import ConvNeXtStem
from plot import plot
from stem import SHAPE, edgeface_stem, fit, maps
from student import Student, choose, forward, load_start
from teacher import Teacher
from train import train

TINY = {
    "width": 32,
    "depth": 3,
    "heads": 2,
    "batch": 12,
    "reuse": 3,
    "ring": 24,
    "warmup": 4,
    "log_every": 2,
    "save_every": 3,
    "precision": "fp32",
    "samples": 96,
    "stem_widths": (8, 8, 12),
    "stem_depths": (1, 1, 1),
}
ADDED = {"quality_features": ("token", "mean", "std"), "quality_hidden": 8, "quality_exits": "added"}


@pytest.fixture
def teacher(teacher_file: Path) -> Teacher:
    return Teacher(teacher_file)


def tiny(**changes: object) -> TrainConfig:
    return TrainConfig(**{**TINY, **changes})


def test_pack_knows_who_is_who(packed: Path) -> None:
    faces = load(packed)
    identity = np.load(packed / "identity.npy")
    names = np.load(packed / "names.npy")
    assert (identity >= 0).sum() == 48
    assert all((i < 0) == str(n).startswith("utk") for i, n in zip(identity, names, strict=True))
    np.testing.assert_allclose(np.linalg.norm(faces.clean, axis=1), 1, rtol=1e-5)


def test_expected_quality_finds_what_the_embedding_shows() -> None:
    rng = np.random.default_rng(0)
    n = 3000
    quality = rng.uniform(0.3, 0.9, n)
    plain = rng.standard_normal((n, 24)).astype(np.float32)
    plain[:, 0] = 4 * quality
    plain /= np.linalg.norm(plain, axis=1, keepdims=True)
    identity = np.where(np.arange(n) % 2, 0, -1)
    guess = expected_quality(plain, plain, identity, quality)
    hidden = identity < 0
    assert np.corrcoef(guess[hidden], quality[hidden])[0, 1] > 0.6


def test_chosen_tokens_are_distinct_and_of_their_group() -> None:
    chosen = choose(2, 5, torch.Generator().manual_seed(0))
    rows, columns = chosen // 14, chosen % 14
    group = (rows // 2 * 7 + columns // 2).view(5, 49, 2)
    assert torch.equal(group, torch.arange(49).view(1, 49, 1).expand(5, 49, 2))
    assert (chosen.view(5, 49, 2).diff(dim=2) != 0).all()


def test_it_learns(packed: Path, teacher: Teacher, tmp_path: Path) -> None:
    faces = load(packed)
    changes = {"samples": 960, "keep": ((0.0, 1),), "lr_matrix": 0.02, "lr": 0.01, "log_every": 5}
    student = train(tiny(augment=AugmentConfig(degraded=0.0), **changes), faces, teacher, tmp_path)
    rows = (tmp_path / "log.csv").read_text().splitlines()
    column = rows[0].split(",").index("cos")
    values = [float(row.split(",")[column]) for row in rows[1:]]
    assert np.mean(values[-4:]) > np.mean(values[:4]) + 0.05
    plot(tmp_path / "log.csv", tmp_path / "log.png")
    assert (tmp_path / "log.png").stat().st_size > 10_000
    assert not student.training


def test_a_resumed_run_is_the_uninterrupted_one(packed: Path, teacher: Teacher, tmp_path: Path) -> None:
    faces, config = load(packed), tiny()
    whole = train(config, faces, teacher, tmp_path / "a").state_dict()
    for stop in (2, 5, None):
        parts = train(config, faces, teacher, tmp_path / "b", stop_at=stop).state_dict()
    assert whole.keys() == parts.keys()
    for name, tensor in whole.items():
        torch.testing.assert_close(tensor, parts[name], rtol=0, atol=0, msg=name)


def test_a_new_run_may_start_from_an_old_one(packed: Path, teacher: Teacher, tmp_path: Path) -> None:
    faces, still = load(packed), {"samples": 12, "lr_matrix": 0.0, "lr": 0.0, "weight_decay": 0.0}
    old = train(tiny(), faces, teacher, tmp_path / "a").state_dict()
    new = train(tiny(**still), faces, teacher, tmp_path / "b", tmp_path / "a" / "last.pt").state_dict()
    for name, tensor in old.items():
        if "running_" not in name and "num_batches" not in name:  # a pass alone moves these
            torch.testing.assert_close(tensor, new[name], rtol=0, atol=0, msg=name)


def test_a_finished_network_gives_its_blocks_to_a_smaller_one(tmp_path: Path) -> None:
    plain = {"frozen_stem": False, **ADDED}
    torch.manual_seed(0)
    old = Student(tiny(**plain))
    save_checkpoint(old.finished(), tmp_path / "old.safetensors")
    student = Student(tiny(depth=2, mlp_width=100, **plain))
    load_start(student, tmp_path / "old.safetensors", blocks=[1, 3])
    ours, theirs = student.vit, old.vit
    assert torch.equal(ours.blocks[1].attn.qkv.weight, theirs.blocks[2].attn.qkv.weight)
    assert torch.equal(ours.quality_head[1].hidden.weight, theirs.quality_head[2].hidden.weight)
    x = torch.randn(4, 32)
    norms = theirs.blocks[2].mlp.fc1.weight.norm(dim=1) * theirs.blocks[2].mlp.fc2.weight.norm(dim=0)
    theirs.blocks[2].mlp.fc2.weight.data[:, norms.argsort()[:28]] = 0  # the units that are not taken
    torch.testing.assert_close(ours.blocks[1].mlp(x), theirs.blocks[2].mlp(x))
    with pytest.raises(SystemExit, match="depth"):
        load_start(student, tmp_path / "old.safetensors", blocks=[1, 2, 3])
    with pytest.raises(SystemExit, match="does not fit"):
        load_start(Student(tiny(width=64, **plain)), tmp_path / "old.safetensors")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"stem": "patch", "frozen_stem": False},
        {"stem": "conv", "frozen_stem": False, "dense_weight": 1.0},
        {"frozen_stem": False, "lr_stem": 1e-3, "mlp_width": 48, **ADDED},
    ],
    ids=["frozen convnext", "patch", "conv", "heads that add up"],
)
def test_the_shipped_network_gives_what_was_trained(
    packed: Path, teacher: Teacher, tmp_path: Path, changes: dict[str, object]
) -> None:
    faces = load(packed)
    student = train(tiny(samples=36, **changes), faces, teacher, tmp_path)
    save_checkpoint(student.finished(), tmp_path / "m.safetensors")
    vit = load_checkpoint(tmp_path / "m.safetensors")
    crops = torch.from_numpy(faces.crops[:3].copy())
    images = (crops.float() / 127.5 - 1).permute(0, 3, 1, 2)
    with torch.no_grad():
        ours = forward(student, student.features(images) if not changes else images, None, True)
        score = None
        for number, state in enumerate(vit.walk(crops), 1):
            normed = vit.norm(state.tokens)
            score = vit.exit_score(normed, number, score)
            torch.testing.assert_close(score, ours.exits[number - 1], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(vit.embedding(normed), ours.embedding, rtol=1e-4, atol=1e-5)
    # The signals that the losses push are the scores that the library computes.
    scorer = Scorer(
        tmp_path / "m.safetensors", ["attn", f"vitnt:alpha={student.config.alpha:g}"], align="none"
    )
    attn, vitnt = scorer.score_crops(faces.crops[:3].copy()).values()
    assert np.array_equal(np.argsort(attn), ours.attention.mean(1).argsort())
    assert np.array_equal(np.argsort(vitnt), ours.stability.mean(1).argsort())


def test_labelled_faces_need_no_teacher(packed: Path, tmp_path: Path) -> None:
    changes = {"objective": "cosface", "mode": "embedding", "stem": "patch", "frozen_stem": False}
    changes["augment"] = AugmentConfig(degraded=0.0, local=0.0)  # 75 steps are few
    student = train(
        tiny(samples=900, keep=((0.0, 1),), scale=16.0, lr_matrix=0.02, lr=0.01, log_every=25, **changes),
        load(packed),
        None,
        tmp_path,
    )
    rows = (tmp_path / "log.csv").read_text().splitlines()
    column = rows[0].split(",").index("class")
    assert float(rows[-1].split(",")[column]) < 0.9 * float(rows[1].split(",")[column])
    save_checkpoint(student.finished(), tmp_path / "m.safetensors")
    vit = load_checkpoint(tmp_path / "m.safetensors")
    assert vit.config.quality == "embedding"
    assert not vit.config.quality_token


def test_an_option_may_be_part_of_another() -> None:
    config = TrainConfig.of({"augment": {"local": 0.5}, "keep": [[0.0, 4]]})
    assert config.augment == AugmentConfig(local=0.5)
    assert config.keep == ((0.0, 4),)
    with pytest.raises(TypeError, match="nonsense"):
        TrainConfig.of({"nonsense": 1})


def test_a_frozen_stem_must_be_one() -> None:
    with pytest.raises(ValueError, match="frozen_stem"):
        tiny(stem="patch")


def test_config_survives_json(tmp_path: Path) -> None:
    tiny(seed=4).save(tmp_path / "c.json")
    assert TrainConfig.load(tmp_path / "c.json") == tiny(seed=4)


def stem() -> ConvNeXtStem:
    return ConvNeXtStem(ViTConfig(width=32, depth=1, heads=1, mlp_width=32, stem="convnext", **SHAPE))


def test_fitting_the_stem_lowers_its_loss(packed: Path, teacher: Teacher) -> None:
    torch.manual_seed(0)
    losses = fit(stem(), np.load(packed / "crops.npy"), teacher, views=16, steps=25, batch=8)
    assert losses[-1] < 0.7 * losses[0]


def test_the_stem_starts_as_edgeface(shared: Path) -> None:
    """Left out are the attentions over channels, so the maps are close and not equal."""
    path = shared / "models" / "edgeface_xs.onnx"
    start = stem()
    missing, unexpected = start.load_state_dict(edgeface_stem(path), strict=False)
    assert not unexpected
    assert all(name.startswith("proj") for name in missing)
    crops = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 112, 112, 3), dtype=np.uint8))
    with torch.no_grad():
        ours = maps(start, (crops.float() / 127.5 - 1).permute(0, 3, 1, 2))
    for mine, theirs, least in zip(ours, Teacher(path).maps(crops), (0.5, 0.9), strict=True):
        assert np.corrcoef(mine.flatten(), theirs.flatten())[0, 1] > least
