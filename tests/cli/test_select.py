"""fiqa gate, sort and rank, and --gate of score: what is printed, and the exit codes."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.cli.runs import ONE, fiqa, posix, table
from tests.pipeline.sorted_files import make_photographs, tree
from typer.testing import CliRunner

from fiqa import Scorer
from fiqa.calibration import read_gate
from fiqa.cli.main import app
from fiqa.degradations import degrade
from fiqa.examples import example_crops


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A good face, one so dark that nobody would take it, and a file that is no image."""
    folder = tmp_path_factory.mktemp("faces")
    good = example_crops()[0]
    Image.fromarray(good).save(folder / "good.png")
    Image.fromarray(degrade(good, "dark", 1.0, seed=0)).save(folder / "dark.png")
    (folder / "none.jpg").write_text("no image")
    return folder


def _run(*arguments, expect=0):
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == expect, done.output
    return done


def test_gate_says_a_line_a_face_and_ends_with_4_if_one_does_not_pass(faces):
    names = ("good.png", "dark.png", "none.jpg")
    done = fiqa("gate", *(faces / name for name in names), "--at", "fnmr=5%", *ONE, expect=4)
    lines = [line.split("\t") for line in done.stdout.decode().splitlines()]
    scorer = Scorer(engine="onnxruntime", threads=1)
    gate = read_gate("fnmr=5%", scorer.calibration)
    good, dark = (scorer.score(faces / name) for name in names[:2])
    assert lines[0] == ["accepted", f"{good.score:.2f}", str(faces / "good.png"), "0", ""]
    assert lines[1][:4] == ["rejected", f"{dark.score:.2f}", str(faces / "dark.png"), "0"]
    assert re.fullmatch(rf"below {gate.score:.2f}: [A-Z].*light.*\.", lines[1][4])  # what to do
    assert (lines[2][:2], lines[2][3]) == (["rejected", ""], "")
    assert "none.jpg" in lines[2][4]
    said = done.stderr.decode()
    assert f"95 % interval {gate.low:.2f} to {gate.high:.2f} over subjects" in said


def test_gate_ends_with_0_if_all_pass(faces):
    assert _run("gate", faces / "good.png", "--at", "60", *ONE).stdout.startswith("accepted\t")


def test_gate_refuses_for_a_reason_only_when_asked_and_never_for_light(faces, tmp_path):
    noisy, dim = tmp_path / "noisy.png", tmp_path / "dim.png"
    crop = np.asarray(Image.open(faces / "good.png").convert("RGB"))
    Image.fromarray(degrade(crop, "noise", 0.6)).save(noisy)
    Image.fromarray((crop * 0.2).astype(np.uint8)).save(dim)
    asked = ("gate", noisy, dim, "--at", "0", *ONE)
    assert "rejected" not in _run(*asked).stdout
    lines = _run(*asked, "--refuse-reasons", expect=4).stdout.splitlines()
    assert [line.split("\t")[0] for line in lines] == ["rejected", "accepted"]
    assert "noise: Add light" in lines[0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--at", "fnmr=7%"], r"no gate fnmr=7% in the calibration of 'exit-depth.*; it has: fnmr=5%"),
        (["--at", "good"], "a gate must be a score such as 60, or fnmr=1%, or discard=10%, but got 'good'"),
        (
            ["--at", "60", "-m", "attn:block=0"],
            "a gate needs a score from 0 to 100, and fiqa-vit-1.1 has none",
        ),
    ],
)
def test_a_gate_that_can_not_be_is_one_sentence(faces, arguments, said):
    done = _run("gate", faces / "good.png", *arguments, *ONE, expect=2)
    assert re.search(said, done.stderr)


def test_score_with_a_gate_says_who_is_accepted(faces, tmp_path):
    out = tmp_path / "t.jsonl"
    _run("score", faces, "--gate", "60", "-o", out, *ONE, expect=3)
    found = {Path(row["path"]).name: row for row in map(json.loads, out.read_text().splitlines())}
    assert {name: row["accepted"] for name, row in found.items()} == {
        "good.png": True,
        "dark.png": False,
        "none.jpg": False,
    }
    assert (
        json.loads((tmp_path / "t.jsonl.run.json").read_text())["decides"]["gate"] == "a score from 60 passes"
    )
    done = _run("score", faces, "--gate", "70", "-o", out, "--resume", *ONE, expect=2)
    assert "was written with gate 'a score from 60 passes', not 'a score from 70 passes'" in done.stderr
    rows = table(_run("score", faces, "--gate", "60", *ONE, expect=3).stdout_bytes)
    assert [row["accepted"] for row in rows.values()] == ["false", "true", "false"]  # in the order of names


def test_sort_is_dry_until_it_is_told_how(tmp_path):
    scores = make_photographs(tmp_path).path
    before = tree(tmp_path)
    asked = ("sort", scores, "--at", "60", "--accepted", tmp_path / "ok", "--rejected", tmp_path / "bad")
    done = _run(*asked, "--root", tmp_path)
    first = tmp_path / "photos" / "person 1" / "000" / "face.jpg"
    assert f"accepted: {first} → {tmp_path / 'ok' / 'person 1' / '000' / 'face.jpg'}\n" in done.stdout
    assert done.stdout.endswith(
        "12 accepted, 12 rejected; nothing is done yet: add --link, --copy or --move\n"
    )
    assert tree(tmp_path) == before
    assert not Path(f"{scores}.sort.jsonl").exists()
    done = _run(*asked, "--root", tmp_path, "--copy")
    assert done.stdout == "12 accepted, 12 rejected; --undo takes it back\n"
    assert len(tree(tmp_path)) == 48
    assert "24 of them before" in _run(*asked, "--root", tmp_path, "--copy").stdout
    assert _run("sort", scores, "--undo").stdout == "24 files are back\n"
    assert tree(tmp_path) == before


def test_sort_says_what_stays(tmp_path):
    scores = make_photographs(tmp_path, 6).path
    (tmp_path / "photos" / "person 0" / "000" / "face.jpg").unlink()
    asked = ("sort", scores, "--at", "60", "--accepted", tmp_path / "ok", "--rejected", tmp_path / "bad")
    done = _run(*asked, "--link", expect=3)
    assert done.stdout == "3 accepted, 2 rejected, 1 not there (see --root); --undo takes it back\n"
    place = tmp_path / "ok" / "person 1" / "000" / "face.jpg"
    place.unlink()
    place.write_text("another")
    done = _run("sort", scores, "--undo", expect=1)
    assert done.stdout == "4 files are back, 1 are not: the journal is kept\n"
    assert f"{str(place)!r} has been changed since" in done.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["--copy", "--move"],
            "one of --link, --copy, --move and --undo at a time, but got --copy and --move",
        ),
        (["--copy"], "sort needs --at RULE, --accepted DIR and --rejected DIR, or --undo alone"),
        (["--at", "6", "--accepted", "x", "--rejected", "./x"], "must be two folders, but got"),
        (["--undo"], "has not been sorted"),
    ],
)
def test_sort_in_a_wrong_way_is_one_sentence(tmp_path, options, said):
    scores = make_photographs(tmp_path, 6).path
    assert said in _run("sort", scores, *options, expect=2).stderr


@posix
def test_a_disk_that_does_not_let_us_is_one_sentence(tmp_path):
    scores = make_photographs(tmp_path, 6).path
    (tmp_path / "ok").write_text("no folder")
    asked = ("--at", "60", "--accepted", tmp_path / "ok", "--rejected", tmp_path / "bad", "--move")
    done = _run("sort", scores, *asked, expect=1)
    assert "can't write" in done.stderr
    (tmp_path / "ok").unlink()
    assert "3 accepted, 3 rejected" in _run("sort", scores, *asked).stdout  # and goes on


def test_rank_prints_csv_into_a_pipe_and_copies(tmp_path):
    scores = make_photographs(tmp_path, 6).path
    done = _run("rank", scores, "--top", 1)
    best = [
        f"person {n % 3}/{n // 3:03d},1,1,{tmp_path}/photos/person {n % 3}/{n // 3:03d}" for n in range(6)
    ]
    scores_ = [90.0 if n % 2 else 10.0 for n in range(6)]
    assert done.stdout.splitlines() == [
        "group,place,n_images,path,score",
        *(f"{line}/face.jpg,{score}" for line, score in zip(best, scores_, strict=True)),
    ]
    _run("rank", scores, "--by", "status", "--top", 2, "--copy", tmp_path / "best")
    assert sorted(os.listdir(tmp_path / "best" / "ok")) == ["face-2.jpg", "face.jpg"]
    _run("rank", scores, "-o", tmp_path / "best.csv")
    assert (tmp_path / "best.csv").read_text().splitlines()[0] == "group,place,n_images,path,score"
    assert "no column 'who'" in _run("rank", scores, "--by", "who", expect=2).stderr


def test_rank_says_which_group_has_nothing(tmp_path):
    (tmp_path / "t.csv").write_text("path,status,score\na/1.jpg,no_face,\nb/1.jpg,ok,5\n")
    done = _run("rank", tmp_path / "t.csv", expect=3)
    assert "group 'a' has no photograph with a score" in done.stderr
    assert done.stdout == "group,place,n_images,path,score\nb,1,1,b/1.jpg,5.0\n"
