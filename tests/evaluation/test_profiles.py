"""Profiles from a data set and a judge: those of the fits themselves, named as a scorer looks them up."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from fiqa import Scorer
from fiqa.calibration import gate_rows
from fiqa.errors import DataError, UsageError
from fiqa.evaluation import (
    Dataset,
    Draws,
    ListedScores,
    PrecomputedEmbeddings,
    Settings,
    calibrate,
    cosine_similarity,
    evaluate,
    fit_acceptance,
    fit_percentiles,
    fit_profile,
    pairing_of,
)

SETTINGS = Settings(fmrs=(0.05,), n_resamples=30, seed=3)
pytestmark = pytest.mark.filterwarnings("ignore::fiqa.evaluation.UnreliableFMR")


@pytest.fixture(scope="module")
def people() -> tuple[Dataset, PrecomputedEmbeddings, np.ndarray]:
    """20 people, 6 images each, and a judge who is lost on the images of low quality."""
    rng = np.random.default_rng(0)
    file = io.BytesIO()
    Image.fromarray(np.zeros((112, 112, 3), np.uint8)).save(file, "PNG")
    subjects = np.repeat(np.arange(20), 6)
    quality = rng.random(len(subjects))
    centre = rng.standard_normal((20, 32))[subjects]
    embeddings = centre + (1 - quality[:, None]) * 2.5 * rng.standard_normal((len(subjects), 32))
    names = [f"{row}.png" for row in range(len(subjects))]
    dataset = Dataset("people", [file.getvalue()] * len(subjects), names, subjects=subjects)
    return dataset, PrecomputedEmbeddings.from_arrays(names, embeddings, "judge"), quality


def test_a_profile_holds_the_fits_and_says_where_it_is_from(people) -> None:
    dataset, judge, quality = people
    profile = fit_profile(dataset, judge, dict(zip(dataset.names, quality, strict=True)),
                          model="mine", settings=SETTINGS)  # fmt: skip
    pairing = pairing_of(dataset, SETTINGS)
    similarity = cosine_similarity(judge.lookup(dataset.names), pairing.pairs)
    alone = fit_acceptance(
        "scores", quality, pairing, similarity, fmr=0.05, draws=Draws(30, 3), data="people"
    )
    assert profile.calibrations == {"scores": alone}
    assert (profile.model, profile.source) == ("mine", "judged by judge on 120 images of people")
    assert len(gate_rows(profile)) == len(alone.thresholds) > 0
    assert calibrate is fit_profile


def test_without_a_judge_it_is_a_percentile(people) -> None:
    dataset, _, quality = people
    profile = fit_profile(dataset, None, [quality.tolist()], settings=SETTINGS)
    assert profile.calibrations["scores"](np.median(quality)) == pytest.approx(50, abs=1)
    listed = ListedScores("attn", "a.csv", dict(zip(dataset.names, quality.tolist(), strict=True)))
    alone = fit_percentiles([listed], model="m", draws=Draws(20))
    assert alone.calibrations["attn"](np.median(quality)) == pytest.approx(50, abs=1)
    assert alone.source == "percentiles of a.csv"


def test_a_scorer_is_filed_under_its_resolved_specs_and_what_says_nothing_may_be_skipped(people) -> None:
    dataset, judge, quality = people
    spec = "attn:block=0"  # shallow, for 120 images
    scorer = Scorer(methods=[spec], engine="onnxruntime", align="none", threads=1)
    skipped: list[DataError] = []
    profile = fit_profile(
        dataset, judge, [scorer, dict(zip(dataset.names, quality, strict=True))],
        settings=SETTINGS, skip=skipped.append,
    )  # fmt: skip
    assert profile.model == scorer.card.name
    assert list(profile.calibrations) == ["scores"]  # all images are black: attn gives one number
    assert scorer.used[spec] in str(skipped[0])
    with pytest.raises(DataError, match="does not rise"):
        fit_profile(dataset, judge, scorer, settings=SETTINGS)


def test_a_judge_may_be_the_text_that_opens_it(people, tmp_path) -> None:
    dataset, judge, quality = people
    np.savez(tmp_path / "judge.npz", names=np.array(dataset.names), embeddings=judge.lookup(dataset.names))
    settings = replace(SETTINGS, n_faces=0)
    one = evaluate(dataset, tmp_path / "judge.npz", quality, settings)
    other = evaluate([dataset], [f"{tmp_path}/judge.npz:name=judge"], [quality], settings)
    assert [result.pauc for result in one.results] == [result.pauc for result in other.results]
    assert one.recognizers == ("judge",)
    profile = fit_profile(dataset, f"{tmp_path}/judge.npz", quality, settings=settings)
    assert profile == fit_profile(dataset, judge, quality, settings=settings)


def test_templates_are_not_calibrated(people) -> None:
    from fiqa.evaluation import Templates

    dataset, judge, quality = people
    rows = np.arange(len(dataset))
    templates = Templates(ids=rows, rows=rows, images=rows, media=rows)
    with pytest.raises(UsageError, match="compares templates"):
        fit_profile(replace(dataset, templates=templates), judge, [quality.tolist()])
