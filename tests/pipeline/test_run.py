"""A run from Python in one call: what it writes, what it calls, and what it refuses first."""

from __future__ import annotations

import csv
import json
import os
from dataclasses import asdict

import numpy as np
import pytest
from PIL import Image

import fiqa
from fiqa.calibration import Calibration, Profile
from fiqa.errors import MissingExtra, UsageError
from fiqa.examples import example_crops
from fiqa.pipeline import expand
from fiqa.pipeline.crops import crop_name
from fiqa.types import Face

SPEC = "attn:block=0"


@pytest.fixture(scope="module")
def profile():
    used = fiqa.Scorer(methods=[SPEC], engine="onnxruntime", threads=1).used[SPEC]
    calibration = Calibration(spec=used, raw=(-100.0, 100.0), score=(0.0, 50.0), meaning="for this test")
    return Profile("any", {used: calibration})


@pytest.fixture(scope="module")
def scorer(profile):
    return fiqa.Scorer(methods=[SPEC], engine="onnxruntime", threads=1, align="none", profile=profile)


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, crop in zip("ab", example_crops(), strict=True):
        Image.fromarray(crop).save(folder / f"{name}.png")
    (folder / "broken.png").write_text("no image")
    return folder


def test_a_folder_becomes_a_table_and_the_callback_sees_each_row(scorer, photos, tmp_path):
    seen = []
    table = tmp_path / "t.csv"

    def progress(quality, n_begun, n_images):
        seen.append(
            (os.path.basename(quality.path), n_begun, n_images, len(table.read_text().splitlines()) - 1)
        )

    run = fiqa.score_to(table, scorer, photos, progress=progress)
    assert (run.path, run.n_images, run.n_before, run.n_not_ok) == (table, 3, 0, 1)
    assert seen == [("a.png", 1, 3, 1), ("b.png", 2, 3, 2), ("broken.png", 3, 3, 3)]
    rows = list(csv.DictReader(table.open(newline="")))
    assert [row["status"] for row in rows] == ["ok", "ok", "unreadable"]
    expected = scorer.score_crops(example_crops())[SPEC]
    np.testing.assert_allclose([float(row[SPEC]) for row in rows[:2]], expected, rtol=1e-5)


def test_resuming_scores_only_what_is_left_and_says_so(scorer, photos, tmp_path):
    table, said = tmp_path / "t.jsonl", []
    fiqa.score_to(table, scorer, [photos / "a.png"])
    run = fiqa.score_to(table, scorer, expand([photos]), resume=True, remark=said.append)
    assert (run.n_images, run.n_before, run.n_not_ok) == (3, 1, 1)
    assert said == ["resuming: 1 of 3 images are done"]
    fiqa.score_to(table, scorer, photos, remark=said.append)
    assert said[1:] == [f"'{table}' was there already and is kept as '{table}.bak'"]


def test_the_whole_calibration_lies_beside_the_table(scorer, photos, tmp_path):
    fiqa.score_to(tmp_path / "t.jsonl", scorer, photos)
    facts = json.loads((tmp_path / "t.jsonl.run.json").read_text())
    assert facts["calibration"] == json.loads(json.dumps(asdict(scorer.calibration)))
    assert facts["decides"]["scored_by"] == SPEC
    rows = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()]
    assert [row["scored_by"] for row in rows] == [SPEC, SPEC, None]


def test_crops_are_saved_under_the_names_that_the_table_states(scorer, photos, tmp_path):
    fiqa.score_to(tmp_path / "t.csv", scorer, photos, save_crops=tmp_path / "crops")
    rows = list(csv.DictReader((tmp_path / "t.csv").open(newline="")))
    assert [row["crop"] for row in rows] == [*(crop_name(str(photos / f"{n}.png"), 0) for n in "ab"), ""]
    assert set(os.listdir(tmp_path / "crops")) == {row["crop"] for row in rows[:2]}
    saved = [np.asarray(Image.open(tmp_path / "crops" / row["crop"])) for row in rows[:2]]
    np.testing.assert_array_equal(saved, example_crops())
    with pytest.raises(UsageError, match="has columns"):
        fiqa.score_to(tmp_path / "t.csv", scorer, photos, resume=True)


class TwoFaces:
    """Finds the same two faces in every photo."""

    def detect(self, image):
        marks = np.array([[38, 52], [74, 52], [56, 72], [42, 92], [71, 92]], np.float32)
        return [Face((9.0, 9.0, 99.0, 109.0), marks, 0.9), Face((19.0, 9.0, 99.0, 99.0), marks + 3, 0.8)]


def test_every_face_has_a_row_and_a_place(photos, tmp_path):
    scorer = fiqa.Scorer(methods=[SPEC], engine="onnxruntime", threads=1, align="detect", detector=TwoFaces())
    begun = []
    fiqa.score_to(
        tmp_path / "t.jsonl", scorer, photos, all_faces=True, save_crops=tmp_path / "crops",
        progress=lambda quality, n_begun, n_images: begun.append(n_begun),
    )  # fmt: skip
    rows = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()]
    assert [row["face"] for row in rows] == [0, 1, 0, 1, None]
    assert rows[1]["box"] == [19, 9, 99, 99] == [rows[1][side] for side in ("left", "top", "right", "bottom")]
    assert rows[1]["landmarks"][0] == [41, 55]
    assert (rows[1]["confidence"], rows[1]["eye_distance"]) == (0.8, 36)
    assert begun == [1, 1, 2, 2, 3]
    assert len(os.listdir(tmp_path / "crops")) == 4


def test_what_is_missing_is_said_before_anything_is_touched(photos, tmp_path, monkeypatch):
    def no_detector(**settings):
        raise MissingExtra("detecting needs mtcnn: pip install 'fiqa[detect]'")

    monkeypatch.setattr("fiqa.faces.sources.default_detector", no_detector)
    settings = {"methods": [SPEC], "engine": "onnxruntime", "threads": 1}
    (table := tmp_path / "t.csv").write_text("before")
    with pytest.raises(MissingExtra):
        fiqa.score_to(table, fiqa.Scorer(align="detect", **settings), photos, save_crops=tmp_path / "crops")
    Image.new("RGB", (200, 150)).save(photos / "photo.png")
    with pytest.raises(MissingExtra):
        fiqa.score_to(table, fiqa.Scorer(**settings), photos, save_crops=tmp_path / "crops")
    assert sorted(os.listdir(tmp_path)) == ["photos", "t.csv"]
    assert table.read_text() == "before"
    os.remove(photos / "photo.png")  # crops need no detector
    assert fiqa.score_to(table, fiqa.Scorer(**settings), photos).n_not_ok == 1


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"path": "t.txt"}, "no output format"),
        ({"inputs": []}, "no images"),
        ({"batch_size": 0}, "batch_size"),
    ],
)
def test_wrong_use(settings, says, scorer, photos, tmp_path):
    path = tmp_path / settings.pop("path", "t.csv")
    with pytest.raises(UsageError, match=says):
        fiqa.score_to(path, scorer, settings.pop("inputs", photos), **settings)
    assert os.listdir(tmp_path) == ["photos"]
