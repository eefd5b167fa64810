"""fiqa evaluate, calibrate, validate, datasets: whole runs on made-up people, wrong use in one sentence."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fiqa.calibration import Profile
from fiqa.cli import main as cli
from fiqa.evaluation.datasets import DATASETS

Run = Callable[..., tuple[int, str, str]]
FREE = ("--engine", "onnxruntime", "--threads", "1", "--resamples", "30")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """(arguments) → (exit code, stdout, stderr) of the command, through its real entry point."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["fiqa", *map(str, arguments)])
        code = 0
        try:
            cli.main()
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 10 made-up people, 4 crops each, and embeddings of a judge who is lost on the last."""
    root = tmp_path_factory.mktemp("people")
    rng = np.random.default_rng(0)
    names, embeddings = [], []
    for person in range(10):
        (root / "set" / f"p{person}").mkdir(parents=True)
        base = np.repeat(np.repeat(rng.integers(0, 256, (14, 14, 3)), 8, axis=0), 8, axis=1)
        own = rng.standard_normal(16)
        for k, noise in enumerate((0, 20, 40, 200)):
            pixels = np.clip(base + noise * rng.standard_normal(base.shape), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / "set" / f"p{person}" / f"{k}.png")
            names.append(f"p{person}/{k}.png")
            embeddings.append(own + noise / 50 * rng.standard_normal(16))
    np.savez(root / "judge.npz", names=np.array(names), embeddings=np.array(embeddings, np.float32))
    with (root / "scores.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("path", "score"))
        table.writerows((name, -int(name[-5]) + rng.random() / 2) for name in names)
    return root


def test_evaluate_writes_everything_and_goes_on_where_it_was(run, people, tmp_path, monkeypatch):
    arguments = (
        "evaluate", "--dataset", f"folder:made up={people}/set", "--recognizer", f"{people}/judge.npz",
        "--method", "attn", "--method", "exit:2", "--rival", "sharpness",
        "--scores", f"theirs={people}/scores.csv", "--fmr", "0.05", "--fmr", "0.02", "-o", tmp_path, *FREE,
    )  # fmt: skip
    code, out, err = run(*arguments)
    assert code == 0, err
    assert out.rstrip().endswith("report.html")
    with (tmp_path / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["method"] for row in rows} == {"attn", "exit:2", "sharpness", "theirs"}
    assert {row["dataset"] for row in rows} == {"made up"}
    best = [row["method"] for row in rows if row["is_best"] == "True"]
    assert len(best) == 2
    for name in ("results.json", "table.tex", "report.html", "cache.sqlite"):
        assert (tmp_path / name).stat().st_size > 0
    assert "data:image/jpeg" in (tmp_path / "report.html").read_text()

    from fiqa.evaluation.rivals import Sharpness

    monkeypatch.setattr(Sharpness, "score_crops", lambda self, crops: pytest.fail("cached, yet run"))
    before = (tmp_path / "results.json").read_text()
    code, _, err = run(*arguments, "--no-faces")
    assert code == 0, err
    after = json.loads((tmp_path / "results.json").read_text())
    assert after["results"] == json.loads(before)["results"]
    assert "data:image" not in (tmp_path / "report.html").read_text()


def test_an_unreliable_fmr_is_said(run, people, tmp_path):
    code, _, err = run(
        "evaluate", "-d", f"folder={people}/set", "-r", f"{people}/judge.npz",
        "--scores", f"theirs={people}/scores.csv", "--fmr", "1e-3", "-o", tmp_path, *FREE,
    )  # fmt: skip
    assert code == 0
    assert "allows 0.72 false matches" in err
    assert "allows 0.72 false matches" in (tmp_path / "report.html").read_text()


def test_ctrl_c_keeps_the_cache(run, people, tmp_path, monkeypatch):
    from fiqa.evaluation.rivals import Sharpness

    plain = Sharpness.score_crops
    arguments = (
        "evaluate", "-d", f"folder={people}/set", "-r", f"{people}/judge.npz", "--rival", "sharpness",
        "--fmr", "0.05", "-o", tmp_path, *FREE,
    )  # fmt: skip

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    from fiqa.evaluation import evaluator as module

    with monkeypatch.context() as patch:
        patch.setattr(module, "distribution", stop)  # after the pass
        code, _, err = run(*arguments)
    assert code == 130
    assert "kept" in err
    assert not (tmp_path / "report.html").exists()
    calls = []
    monkeypatch.setattr(Sharpness, "score_crops", lambda self, crops: calls.append(1) or plain(self, crops))
    assert run(*arguments)[0] == 0
    assert calls == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-r", "JUDGE", "--rival", "sharpness"), "no data set"),
        (("-d", "set", "-r", "JUDGE", "--rival", "sharpness"), "KIND=PATH"),
        (("-d", "fodler=SET", "-r", "JUDGE", "--rival", "sharpness"), "Did you mean 'folder'"),
        (("-d", "folder=SET/none", "-r", "JUDGE", "--rival", "sharpness"), "is missing"),
        (("-d", "folder=SET", "--rival", "sharpness"), "no judge"),
        (("-d", "folder=SET", "-r", "JUDGE"), "nothing to evaluate"),
        (("-d", "folder=SET", "-r", "JUDGE", "--rival", "sharpnes"), "Did you mean 'sharpness'"),
        (("-d", "folder=SET", "-r", "JUDGE", "--rival", "mirror"), "mirror:model=FILE"),
        (("-d", "folder=SET", "-r", "JUDGE", "--scores", "SCORES"), "NAME=FILE.csv"),
        (("-d", "folder=SET", "-r", "JUDGE", "--scores", "a=SCORES:other"), "no column 'other'"),
        (("-d", "folder=SET", "-r", "JUDGE", "--rival", "sharpness", "--fmr", "2"), "fmr must be"),
        (("-d", "folder=SET", "-r", "JUDGE", "--rival", "sharpness", "--discard", "0"), "limit must be"),
        (("-d", "folder=SET", "-r", "JUDGE", "--rival", "sharpness", "--protocol", "iso"), "--protocol"),
        (("-d", "folder=SET", "-r", "JUDGE", "--rival", "sharpness", "--pairs", "some"), "--pairs"),
        (("-d", "folder=SET", "-r", "JUDGE", "--rival", "sharpness", "--align", "auto"), "--align"),
        (("-d", "folder=SET", "-r", "JUDGE", "--rival", "sharpness", "--rival", "face-size"), "source photo"),
        (("-d", "folder=SET", "-r", "none.npz", "--rival", "sharpness"), "none.npz"),
        (("-d", "folder=SET", "-r", "JUDGE", "--method", "attm"), "Did you mean 'attn'"),
    ],
)
def test_wrong_use_is_one_sentence_and_2(run, people, tmp_path, arguments, message):
    places = {"SET": f"{people}/set", "JUDGE": f"{people}/judge.npz", "SCORES": f"{people}/scores.csv"}
    given = []
    for argument in arguments:
        for name, place in places.items():
            argument = argument.replace(name, place)
        given.append(argument)
    code, _, err = run("evaluate", "-o", tmp_path, *given)
    assert code == 2
    assert message in err
    assert len(err.strip().splitlines()) == 1
    assert "Traceback" not in err


def test_a_missing_score_names_the_first_image(run, people, tmp_path):
    lines = (people / "scores.csv").read_text().splitlines()
    (tmp_path / "few.csv").write_text("\n".join(lines[:3] + lines[4:]) + "\n")
    code, _, err = run(
        "evaluate", "-d", f"folder={people}/set", "-r", f"{people}/judge.npz",
        "--scores", f"theirs={tmp_path}/few.csv", "-o", tmp_path,
    )  # fmt: skip
    assert code == 2
    assert "no score for image 'p0/2.png'" in err


def test_images_that_are_no_crops_need_a_detector(run, people, tmp_path):
    for person in "ab":
        (tmp_path / "big" / person).mkdir(parents=True)
        for k in range(2):
            Image.new("RGB", (150, 160)).save(tmp_path / "big" / person / f"{k}.png")
    code, _, err = run(
        "evaluate", "-d", f"folder={tmp_path}/big", "-r", f"{people}/judge.npz", "--rival", "sharpness",
        "-o", tmp_path / "out",
    )  # fmt: skip
    assert code == 2
    assert "judge.npz lacks" in err or "150×160" in err


# --- calibrate ----------------------------------------------------------------------------------------------


def test_a_calibrated_profile_is_used_by_score(run, people, tmp_path):
    code, _, err = run(
        "calibrate", "-d", f"folder={people}/set", "--method", "exit:3", "-o", tmp_path / "p.json", *FREE
    )
    assert code == 0, err
    profile = Profile.load(tmp_path / "p.json")
    assert list(profile.calibrations) == ["exit:3"]
    assert profile.calibrations["exit:3"].thresholds
    code, out, err = run(
        "score", people / "set", "--method", "exit:3", "--profile", tmp_path / "p.json", "--align", "none",
        *FREE[:4],
    )  # fmt: skip
    assert code == 0, err
    rows = list(csv.DictReader(out.splitlines()))
    scores = sorted(float(row["score"]) for row in rows)
    assert scores[0] < 5
    assert scores[-1] > 95


def test_acceptance_from_the_scores_of_another_tool(run, people, tmp_path):
    code, _, err = run(
        "calibrate", "-d", f"folder={people}/set", "-r", f"{people}/judge.npz", "--scores",
        f"theirs={people}/scores.csv", "--fmr", "0.02", "-o", tmp_path / "p.json", "--resamples", 30,
    )  # fmt: skip
    assert code == 0, err
    calibration = Profile.load(tmp_path / "p.json").calibrations["theirs"]
    assert "accepted at FMR 0.02" in calibration.meaning
    assert float(calibration(0.0)) > float(calibration(-3.0)) + 20
    assert {threshold.kind for threshold in calibration.thresholds} == {"fnmr", "discard"}


def test_scores_alone_become_percentiles_under_the_methods_whole_name(run, people, tmp_path):
    code, _, err = run(
        "calibrate", "--scores", f"attn={people}/scores.csv", "-o", tmp_path / "p.json", "--resamples", 30
    )
    assert code == 0, err
    (spec,) = Profile.load(tmp_path / "p.json").calibrations
    from fiqa.methods import parse
    from fiqa.models import embedded

    assert spec == str(parse("attn", embedded().card))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((), "nothing to calibrate"), (("--method", "attn"), "give --dataset")],
)
def test_calibrate_says_what_lacks(run, tmp_path, arguments, message):
    code, _, err = run("calibrate", "-o", tmp_path / "p.json", *arguments)
    assert code == 2
    assert message in err


# --- validate and datasets ----------------------------------------------------------------------------------


def test_validate_measures_a_method(run, people, tmp_path):
    code, out, err = run(
        "validate", people / "set", "-m", "exit:2", "-m", "attn", "--kind", "blur", "--steps", "3", "--limit",
        "4", "-o", tmp_path, *FREE,
    )  # fmt: skip
    assert code == 0, err
    document = json.loads((tmp_path / "validation.json").read_text())
    assert document["n_images"] == 4
    assert set(document["methods"]) == {"exit:2", "attn"}
    assert not document["proposals"]
    assert "exit:2: Spearman" in out
    assert "Only 4 images" in (tmp_path / "validation.html").read_text()


def test_validate_proposes_settings_without_labels(run, people, tmp_path):
    code, out, err = run(
        "validate", people / "set", "--kind", "blur", "--steps", "3", "--limit", "2", "-o", tmp_path, *FREE
    )
    assert code == 0, err
    document = json.loads((tmp_path / "validation.json").read_text())
    assert set(document["proposals"]) == {"vitnt", "attn", "exit-depth", "exit-mean"}
    proposed = document["proposals"]["vitnt"]["spec"]
    assert proposed.startswith("vitnt:blocks=0-")
    assert proposed in document["methods"]
    assert f"vitnt: {proposed}" in out


def test_validate_refuses_what_it_cannot_use(run, people, tmp_path):
    code, _, err = run("validate", people / "set", "-o", tmp_path, "--kind", "blurr")
    assert (code, "Did you mean 'blur'" in err) == (2, True)
    code, _, err = run("validate", people / "set" / "p0" / "0.png", "-o", tmp_path, "-m", "attn", *FREE)
    assert (code, "at least 2" in err) == (2, True)


def test_datasets_lists_every_kind_and_its_owner(run):
    code, out, _ = run("datasets")
    assert code == 0
    for name in DATASETS:
        assert f" {name} " in out
    assert "vis-www.cs.umass.edu/lfw" in out
