"""Labels of the quality teacher while a network is trained, who is held out, and the figures on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from augment import AugmentConfig
from config import TrainConfig
from data import load
from fiqa.evaluation.metrics.verification import l2_normalise
from frozen import teacher
from heads import FitConfig, fit
from labels import QualityLabels
from objectives import correlation
from student import Student
from teacher import Teacher
from train import train
from views import Source

SETTINGS = {
    "width": 32, "depth": 3, "heads": 2, "batch": 24, "reuse": 3, "ring": 48, "warmup": 4, "log_every": 2,
    "save_every": 3, "precision": "fp32", "samples": 96, "stem_widths": (8, 8, 12), "stem_depths": (1, 1, 1),
    "frozen_stem": False, "lr_stem": 1e-3, "quality_features": ("token", "mean", "std"), "quality_hidden": 8,
    "quality_exits": "added", "examine_every": 2, "stray": 0.2,
}  # fmt: skip


@pytest.fixture(scope="module")
def quality(packed: Path, teacher_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A quality teacher of two folds, as `quality_teacher.py` leaves it, fitted to how bright a face is."""
    out = tmp_path_factory.mktemp("quality")
    crops, identity = np.load(packed / "crops.npy"), np.load(packed / "identity.npy")
    fold = np.where(identity < 0, -1, identity % 3)
    label = crops.mean((1, 2, 3)).astype(np.float32)
    label = np.where(fold < 0, np.nan, (label - label.mean()) / label.std())
    seen = torch.from_numpy(teacher(teacher_file)(0, crops).astype(np.float32))[None]
    learn = torch.from_numpy(np.stack([fold == 2, fold == 1])).float()
    target = torch.from_numpy(np.nan_to_num(label)).expand(2, -1)
    fit(lambda rows: seen[:, rows], target, learn, FitConfig(hidden=4, epochs=3), out / "teacher.pt")
    np.savez(out / "labels.npz", label=np.stack([label, label]), taught=np.zeros((2, len(fold))), fold=fold)
    return out


@pytest.fixture(scope="module")
def labels(quality: Path, teacher_file: Path) -> QualityLabels:
    return QualityLabels(quality, [teacher_file])


def test_nobody_is_labelled_by_a_head_that_learned_from_them(labels: QualityLabels, packed: Path) -> None:
    crops = torch.from_numpy(np.load(packed / "crops.npy"))
    rows = torch.arange(len(crops))
    run, heads = labels.runs[0]
    with torch.inference_mode():
        scores = heads(torch.from_numpy(run(0, crops.numpy()).astype(np.float32))[None])
    said = labels(crops, rows)
    for fold, want in ((1, scores[0]), (2, scores[1]), (0, scores.mean(0)), (-1, scores.mean(0))):
        mine = torch.from_numpy(labels.fold == fold)
        torch.testing.assert_close(said[mine], want[mine])
    assert not torch.allclose(scores[0], scores[1])


def source_of(packed: Path, teacher_file: Path, labels: QualityLabels, **changes: object) -> Source:
    config = TrainConfig(**{**SETTINGS, **changes})
    return Source(config, load(packed), Student(config), Teacher(teacher_file), 0, labels)


def test_views_are_of_nobody_who_is_held_out(packed: Path, teacher_file: Path, labels: QualityLabels) -> None:
    source = source_of(packed, teacher_file, labels)
    assert not set(source.usable.tolist()) & set(np.flatnonzero(labels.fold == 0).tolist())
    assert (labels.fold[source.held_out] == 0).all()
    exam = source.exam()
    known = labels.known[source.held_out[torch.linspace(0, len(source.held_out) - 1, 256).long().unique()]]
    np.testing.assert_allclose(exam["clean"].label, known)


def test_a_stray_view_is_no_face_and_none_of_its_parts(
    packed: Path, teacher_file: Path, labels: QualityLabels
) -> None:
    augment = AugmentConfig(degraded=0.0, local=0.6)
    source = source_of(packed, teacher_file, labels, stray=0.5, batch=96, ring=192, augment=augment)
    views = source.produce(3)
    assert 0 < views.stray.sum() < len(views.stray)
    assert not views.spoilt[views.stray].any()
    assert views.spoilt[~views.stray].any()
    assert torch.equal(views.natural, ~(views.stray | views.spoilt.any(1)))
    target = l2_normalise(views.target.numpy())
    np.testing.assert_allclose(views.target, target, rtol=1e-5)  # of the clean face, stray or not


def test_a_run_on_these_labels_goes_on_where_it_stopped(
    packed: Path, teacher_file: Path, labels: QualityLabels, tmp_path: Path
) -> None:
    faces, config, net = load(packed), TrainConfig(**SETTINGS), Teacher(teacher_file)
    whole = train(config, faces, net, tmp_path / "a", labels=labels).state_dict()
    for stop in (3, None):
        parts = train(config, faces, net, tmp_path / "b", stop_at=stop, labels=labels).state_dict()
    for name, tensor in whole.items():
        torch.testing.assert_close(tensor, parts[name], rtol=0, atol=0, msg=name)
    rows = (tmp_path / "a" / "held-out.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["step", "0", "2"]
    assert (tmp_path / "b" / "held-out.csv").read_text().splitlines() == rows
    assert {"cos", "clean_exit1", "clean_depth", "view_attn", "view_vitnt"} <= set(rows[0].split(","))


def test_the_correlation_of_nothing_is_nothing() -> None:
    empty = torch.zeros(0, requires_grad=True)
    value = correlation(empty, torch.zeros(0))  # a batch may have no natural view
    assert float(value.detach()) == 0
