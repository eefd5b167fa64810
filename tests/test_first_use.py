"""Where people stumbled who used fiqa for the first time: each test is the script that they wrote."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import fiqa
from fiqa.calibration import read_gate
from fiqa.errors import UsageError
from fiqa.examples import example_crops, example_landmarks, example_paths
from fiqa.pages import overlay

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def scorer() -> fiqa.Scorer:
    return fiqa.Scorer(engine="onnxruntime", threads=1, detector=fiqa.LandmarksCsv(example_landmarks()))


def test_numbers_of_crops_get_the_scale_of_photographs(scorer):
    crops = example_crops()
    scores = scorer.calibrate(scorer.score_crops(crops))
    assert scores == pytest.approx([quality.score for quality in scorer.qualities(crops)])
    assert scores.min() >= 0
    assert scores.max() <= 100


def test_a_single_crop_is_told_how_to_become_a_batch(scorer):
    crop = example_crops()[0]
    with pytest.raises(UsageError, match=r"of a single crop give crop\[None\]"):
        scorer.score_crops(crop)
    assert len(scorer.score_crops(crop[None])["attn"]) == 1


def test_a_scorer_says_what_it_is(scorer):
    assert re.fullmatch(
        r"Scorer\(fiqa-vit-[\d.]+ on onnxruntime fp32: vitnt.*, scored by exit-depth.*\)", repr(scorer)
    )
    assert repr(scorer.score(example_paths()[0])).startswith("Quality(ok, ")


def test_a_map_is_drawn_without_more_ado(scorer, tmp_path):
    quality = scorer.score(example_paths()[0])
    overlay(quality.crop, quality.patch_map("attn")).save(tmp_path / "attn.png")
    assert Image.open(tmp_path / "attn.png").height > 448


def test_the_gate_of_the_readme(scorer):
    assert 'gate = read_gate("fnmr=5%", scorer.calibration)' in README
    assert "fiqa models --gates" in README
    gate = read_gate("fnmr=5%", scorer.calibration)
    assert gate.low < gate.score < gate.high
    assert gate.accepts(scorer.score(example_paths()[0]))
    assert scorer.calibration.threshold("discard", 0.2).discarded == pytest.approx(0.2, abs=0.02)


def test_a_gate_that_is_not_there_names_those_that_are(scorer):
    with pytest.raises(UsageError, match=r"it has: fnmr=5%, "):
        scorer.calibration.threshold("fnmr", 0.04)


def test_the_readme_says_rgb_before_its_first_python():
    assert 0 < README.index("**Arrays are RGB**") < README.index("```python")


def test_a_table_that_can_be_continued_takes_one_call(scorer, tmp_path):
    folder, table = tmp_path / "photos", tmp_path / "scores.jsonl"
    folder.mkdir()
    Image.fromarray(example_crops()[0]).save(folder / "a.png")
    first = fiqa.score_to(table, scorer, folder)
    assert (first.n_images, first.n_before, first.n_not_ok) == (1, 0, 0)
    again = fiqa.score_to(table, scorer, [folder, "missing.jpg"], resume=True)
    assert (again.n_images, again.n_before, again.n_not_ok) == (2, 1, 1)


def test_pictures_of_any_suffix_are_scored_and_evaluated(tmp_path):
    from fiqa.evaluation import read_dataset
    from fiqa.pipeline import expand

    for person in ("one", "two"):
        for number, suffix in enumerate(("tif", "gif", "ppm", "jp2")):
            (tmp_path / person).mkdir(exist_ok=True)
            Image.fromarray(example_crops()[0]).save(tmp_path / person / f"{number}.{suffix}")
    names = read_dataset("folder", tmp_path).names
    assert [str(tmp_path / name) for name in names] == expand([tmp_path])
    assert len(names) == 8


def test_an_evaluation_needs_one_import():
    from fiqa.evaluation import Dataset, PrecomputedEmbeddings, Settings, evaluate

    rng = np.random.default_rng(0)
    subjects = np.repeat(np.arange(8), 4)
    crops = rng.integers(0, 256, (32, 112, 112, 3), dtype=np.uint8)
    names = [f"{row}.png" for row in range(32)]
    dataset = Dataset("mine", _files(crops), names, subjects=subjects)
    vectors = rng.standard_normal((8, 16))[subjects] + 0.5 * rng.standard_normal((32, 16))
    judge = PrecomputedEmbeddings.from_arrays(names, vectors, "judge")
    found = evaluate(dataset, judge, [lambda given: given.mean(axis=(1, 2, 3)), rng.random(32)],
                     Settings(fmrs=(0.05,), n_resamples=20))  # fmt: skip
    assert [result.method for result in found.results] == ["<lambda>", "scores"]


def _files(crops):
    import io

    out = []
    for crop in crops:
        file = io.BytesIO()
        Image.fromarray(crop).save(file, "PNG", compress_level=0)
        out.append(file.getvalue())
    return out
