"""The quality teacher and the heads that it teaches: labels, folds, fits that go on, and the whole chain."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import fit_heads
import frozen
import quality_teacher
from fiqa import load_checkpoint, save_checkpoint
from fiqa.network.recorder import record
from heads import FitConfig, Heads, fit, two_views

QUICK = FitConfig(hidden=6, epochs=3, batch=16, seed=1)


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x)


def test_a_label_is_the_cosine_to_the_others_of_the_person() -> None:
    rng = np.random.default_rng(0)
    clean, views = rng.standard_normal((2, 9, 5)).astype(np.float32)
    identity = np.array([0, 0, 0, 1, 1, 0, -1, 2, -1])
    found = quality_teacher.leave_one_out(views[:8], clean, identity, images=3)
    for i in (0, 1, 2, 5):
        others = unit(np.sum([unit(clean[j]) for j in (0, 1, 2, 5) if j != i], axis=0))
        np.testing.assert_allclose(found[i], unit(views[i]) @ others, rtol=1e-5)
    assert np.isnan(found[[3, 4, 6, 7, 8]]).all()  # too few images, no identity, no view yet


def test_a_person_is_in_one_fold_and_a_share_is_held_out() -> None:
    identity = np.repeat(np.arange(50), 3)
    identity[:6] = -1
    fold = quality_teacher.folds(identity, 4, 0.2, seed=3)
    assert (fold[identity < 0] == -1).all()
    of_person = [set(fold[identity == person]) for person in range(2, 50)]
    assert all(len(folds) == 1 for folds in of_person)
    assert set(fold) == {-1, 0, 1, 2, 3, 4}
    everyone = quality_teacher.folds(np.arange(50), 4, 0.2, seed=3)
    assert (everyone == 0).sum() == 10


def a_task(n: int = 64) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Features (1, n, 8), targets (2, n) and weights that leave the last eight rows out."""
    g = torch.Generator().manual_seed(0)
    x = torch.randn(1, n, 8, generator=g)
    target = torch.stack([x[0, :, 0], -x[0, :, 1].abs()])
    weight = torch.ones(2, n)
    weight[:, -8:] = 0
    return x, target, weight


@pytest.mark.parametrize("hidden", [0, 6])
def test_a_fit_learns_and_one_that_goes_on_ends_the_same(hidden, tmp_path: Path, monkeypatch) -> None:
    x, target, weight = a_task()
    config = FitConfig(hidden=hidden, epochs=30, batch=16, lr=0.02, dropout=(0.05, 0.05))
    whole = fit(lambda rows: x[:, rows], target, weight, config)
    error = (whole(x) - target).square().mean(1)
    assert error[0] < 0.1 * target[0].var()

    saves = 0
    real = torch.save

    def stopping(*args) -> None:
        nonlocal saves
        saves += 1
        real(*args)
        if saves == 12:
            raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", stopping)
    file = tmp_path / "fit.pt"
    with pytest.raises(KeyboardInterrupt):
        fit(lambda rows: x[:, rows], target, weight, config, file)
    resumed = fit(lambda rows: x[:, rows], target, weight, config, file)
    # the interrupted save had not been put in place, so its epoch is done again, with the same numbers
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), resumed.parameters(), strict=True))
    with pytest.raises(SystemExit, match="other settings"):
        fit(lambda rows: x[:, rows], target, weight, FitConfig(epochs=1), file)


def test_a_row_of_no_weight_teaches_nothing() -> None:
    x, target, weight = a_task()
    other = target.clone()
    other[:, -8:] = 100
    one, two = (fit(lambda rows: x[:, rows], t, weight, QUICK) for t in (target, other))
    assert torch.equal(one(x), two(x))


def test_rows_of_two_views() -> None:
    first, second = np.arange(12).reshape(4, 3), 100 + np.arange(6).reshape(2, 3)
    got = two_views([first, second], 4)(torch.tensor([3, 5, 0]))
    np.testing.assert_array_equal(got[0], np.stack([first[3], second[1], first[0]]))


@pytest.mark.parametrize("added", [False, True])
def test_heads_of_several_seeds_become_one(added: bool) -> None:
    fitted = []
    for seed in range(3):
        heads = Heads(2, 8, FitConfig(hidden=4, added=added, seed=seed)).eval()
        heads.mean[:], heads.variance[:] = 0.3, 2.0
        fitted.append(heads)
    x = torch.randn(2, 5, 8)
    want = torch.stack([h(x) for h in fitted]).mean(0)
    parts = [fit_heads.merge(fitted, number).eval()(x[number]) for number in range(2)]
    if added:
        parts[1] = parts[0] + parts[1]
    for number in range(2):
        torch.testing.assert_close(parts[number], want[number])


def test_features_are_filled_once_and_go_on(packed: Path, teacher_file: Path, tmp_path: Path) -> None:
    crops = np.load(packed / "crops.npy", mmap_mode="r")
    calls: list[int] = []

    def run(first: int, some: np.ndarray) -> np.ndarray:
        calls.append(first)
        return some.reshape(len(some), -1)[:, :4].astype(np.float16)

    path = tmp_path / "x.npy"
    frozen.fill(path, crops, run, 16, rows=20)
    # blocks are whole, so a call does a little more than it was asked for, never less
    assert len(frozen.load_done(path)) == min(frozen.BLOCK, len(crops))
    before = list(calls)
    frozen.fill(path, crops, run, 16, rows=len(crops))
    assert calls == before
    views = frozen.second_views(0)
    np.testing.assert_array_equal(views(0, crops[:8].copy()), views(0, crops[:8].copy()))
    assert (views(0, crops[:8].copy()) != views(256, crops[:8].copy())).any()


def test_teacher_features_begin_with_the_embedding(teacher_file: Path) -> None:
    crops = np.random.default_rng(0).integers(0, 256, (3, 112, 112, 3), dtype=np.uint8)
    found = frozen.teacher(teacher_file)(0, crops)
    assert found.shape == (3, 32 + 1 + 3 * (64 + 100) + 7 * 100)
    np.testing.assert_allclose(found[:, 32], np.linalg.norm(found[:, :32].astype(float), axis=1), rtol=1e-2)


def test_from_faces_to_a_network_with_new_heads(
    packed: Path, teacher_file: Path, make_vit, tmp_path: Path, monkeypatch
) -> None:
    vit = make_vit(0, quality="token", quality_token=True, head="mean", embedding=6)
    old = tmp_path / "old.safetensors"
    save_checkpoint(vit, old)
    monkeypatch.setattr(quality_teacher, "LENGTH", 32)
    monkeypatch.setattr(fit_heads, "LENGTH", 32)

    def command(module, *words) -> None:
        monkeypatch.setattr(sys, "argv", [module.__name__, *map(str, words)])
        module.main()

    folder, name = tmp_path / "frozen", teacher_file.stem
    command(frozen, packed, "--network", old, "--teachers", teacher_file, "--out", folder)
    quick = ("--epochs", 2)
    shares = ("--held-out", 0.34, "--folds", 2)
    command(
        quality_teacher, packed, "--frozen", folder, "--teachers", name, "--out", tmp_path, *quick, *shares
    )
    labels = np.load(tmp_path / "labels.npz")
    assert np.isfinite(labels["taught"]).all()
    assert np.isfinite(labels["label"]).sum() == 2 * 48
    assert {"taught", "label", name, "held out"} <= set(json.loads((tmp_path / "figures.json").read_text()))

    faces = ("--faces", packed, "--frozen", folder, "--labels", tmp_path / "labels.npz", "--teachers", name)
    command(fit_heads, old, *faces, "--out", tmp_path / "new", *quick, "--seeds", 2, "--hidden", 4)
    new = load_checkpoint(tmp_path / "new" / "model.safetensors")
    assert (new.config.quality_hidden, new.config.quality_exits) == (8, "added")
    crops = torch.from_numpy(np.load(packed / "crops.npy")[:3])
    same = ("embedding", "logits/2/mean", "step/0-2/final", "received/1")
    one, other = (record(network, crops, (*same, "exit/1")) for network in (vit, new))
    assert all(torch.equal(one[name], other[name]) for name in same)
    assert not torch.equal(one["exit/1"], other["exit/1"])
