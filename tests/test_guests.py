"""What another package brings is found by its entry points and works in every command."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fiqa.degradations import degrade
from fiqa.examples import example_crops, example_paths

GUESTS = Path(__file__).parent / "guests"
FAST = ("--engine", "onnxruntime", "--threads", "1")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """fiqa in a process for which tests/guests is installed, as an installer lays a package out."""
    site = tmp_path_factory.mktemp("site")
    for module in GUESTS.glob("guest_*.py"):
        shutil.copy(module, site)
    project = tomllib.loads((GUESTS / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    info = site / f"fiqa_guests-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "".join(
            f"[{group}]\n" + "".join(f"{name} = {place}\n" for name, place in points.items())
            for group, points in project["entry-points"].items()
        )
    )
    paths = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")]))

    def run(*arguments: object, expect: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "fiqa", *map(str, arguments)],
            env={**os.environ, "PYTHONPATH": paths, "COLUMNS": "200"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == expect, done.stderr
        return done

    return run


@pytest.fixture(scope="module")
def people(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("people")
    for name, crop in zip(("ann", "bob"), example_crops(), strict=True):
        for i in range(5):
            Image.fromarray(degrade(crop, "noise", i / 10, seed=i)).save(folder / f"{name}-{i}.png")
    return folder


@pytest.mark.parametrize("module", sorted(GUESTS.glob("guest_*.py")), ids=lambda path: path.stem)
def test_a_guest_takes_at_most_30_lines(module):
    assert len(module.read_text(encoding="utf-8").splitlines()) <= 30


def test_guests_are_listed_and_a_broken_one_is_said(run):
    done = run("methods")
    for name in ("evenness", "block=1", "contrast", "middle"):
        assert name in done.stdout
    assert "the method 'broken' of fiqa-guests can't be loaded" in done.stderr
    assert "[/x] of [b]text" in done.stdout  # not read as markup
    assert "flat" in run("datasets").stdout


def test_a_method_is_scored_and_takes_its_options(run, people):
    specs = ("evenness", "evenness:block=3")
    done = run("score", people, *(part for spec in specs for part in ("-m", spec)), *FAST)
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert len(rows) == 10
    for spec in specs:
        assert np.std([float(row[spec]) for row in rows]) > 0
    wrong = run("score", people, "-m", "evenness:block=x", *FAST, expect=2).stderr
    assert "block of evenness must be a whole number, but got 'x'" in wrong
    assert "can't be loaded" in run("score", people, "-m", "broken", *FAST, expect=2).stderr


def test_a_method_is_explained(run, people, tmp_path):
    run("explain", people / "ann-0.png", "-m", "evenness", "-o", tmp_path, *FAST)
    assert "evenness" in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_an_engine_serves_by_its_name(run, people):
    ours, guest = (
        run("score", people, "-m", "attn", "--engine", name, "--threads", "1").stdout
        for name in ("onnxruntime", "guest-engine")
    )
    assert ours == guest


def test_a_source_of_faces_serves_by_its_name(run):
    done = run("score", example_paths()[0], "--detector", "middle:share=0.3", "-m", "attn", *FAST)
    (row,) = csv.DictReader(io.StringIO(done.stdout))
    assert row["status"] == "ok"
    with Image.open(example_paths()[0]) as photo:
        assert (float(row["left"]) + float(row["right"])) / 2 == pytest.approx(photo.width / 2, abs=10)


def test_method_rival_recogniser_and_data_set_are_evaluated_together(run, people, tmp_path):
    run(
        *(
            "evaluate",
            "-d",
            f"flat={people}",
            "-r",
            "pixels:step=16",
            "-m",
            "evenness",
            "--rival",
            "contrast",
        ),
        *("--pairs", "all", "--fmr", "0.1", "--resamples", "20", "-o", tmp_path, *FAST),
    )
    methods = {one["method"] for one in json.loads((tmp_path / "results.json").read_text())["results"]}
    assert methods == {"evenness", "contrast"}


def test_a_method_is_validated(run, people, tmp_path):
    done = run(
        *("validate", people, "-m", "evenness", "--kind", "blur", "--steps", "2", "--resamples", "20"),
        *("-o", tmp_path, *FAST),
    )
    assert "evenness: Spearman" in done.stdout


def test_the_page_on_guests_shows_these_very_files():
    page = (GUESTS.parents[1] / "docs" / "guests.md").read_text(encoding="utf-8")
    project = tomllib.loads((GUESTS / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for group, points in project["entry-points"].items():
        name, place = next((name, place) for name, place in points.items() if name != "broken")
        assert f'[project.entry-points."{group}"]\n{name} = "{place}"\n' in page
        source = (GUESTS / f"{place.partition(':')[0]}.py").read_text(encoding="utf-8")
        assert f"```python\n{source}```" in page
        assert len(source.splitlines()) <= 30
