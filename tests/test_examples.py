"""Every script in examples/ is short and runs as a user would run it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from fiqa.degradations import degrade
from fiqa.examples import example_crops, example_paths

FOLDER = Path(__file__).parents[1] / "examples"
needs_detector = pytest.mark.skipif(
    importlib.util.find_spec("mtcnn") is None, reason="detection needs the extra detect"
)


def _run(script: str, *arguments: str | os.PathLike[str]) -> list[str]:
    command = [sys.executable, FOLDER / script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("script", sorted(FOLDER.glob("*.py")), ids=lambda path: path.name)
def test_an_example_is_short_and_is_run_below(script):
    most = 40 if script.name == "http_client.py" else 25
    assert len(script.read_text(encoding="utf-8").splitlines()) <= most
    assert f'_run("{script.name}"' in Path(__file__).read_text(encoding="utf-8")


def test_landmarks_in_hand():
    table = (example_paths()[0].parent / "landmarks.csv").read_text().splitlines()
    (line,) = _run("landmarks_in_hand.py", example_paths()[0], *table[1].split(",")[1:])
    assert line.startswith("Quality(ok, ")


def test_own_network_with_embedding(make_vit, tmp_path):
    pytest.importorskip("torch", reason="needs the extra torch")
    from fiqa import save_checkpoint

    save_checkpoint(make_vit(1, head="mean", embedding=6), tmp_path / "own.safetensors")
    Image.fromarray(example_crops()[0]).save(tmp_path / "crop.png")
    (line,) = _run("own_network_with_embedding.py", tmp_path / "own.safetensors", "2", tmp_path / "crop.png")
    assert "'vitnt': 0." in line
    assert "'attn': " in line
    assert line.endswith("(6,)")


@needs_detector
def test_http_client(tmp_path):
    pytest.importorskip("fastapi", reason="needs the extra serve")
    from tests.serve.conftest import running

    (tmp_path / "broken.jpg").write_bytes(b"not an image")
    with running() as server:
        (good,) = _run("http_client.py", server.address, example_paths()[0])
        (strict,) = _run("http_client.py", server.address, example_paths()[1], "99")
        (broken,) = _run("http_client.py", server.address, tmp_path / "broken.jpg")
    assert good.startswith("Answer(status='ok', score=")
    assert "accepted=True" in good
    assert "accepted=False" in strict
    assert broken == "Answer(status='unreadable', score=None, accepted=False, advice=())"


@needs_detector
def test_own_method():
    lines = _run("own_method.py", *example_paths())
    assert ["evenness=-0." in line for line in lines] == [True, True]


@needs_detector
def test_gate_folder(tmp_path):
    portrait = Image.open(example_paths()[0])
    portrait.save(tmp_path / "a-good.png")
    (tmp_path / "b-broken.jpg").write_bytes(b"not an image")
    portrait.filter(ImageFilter.GaussianBlur(6)).save(tmp_path / "c-blurred.png")
    gate, *rows = _run("gate_folder.py", tmp_path)
    assert gate.startswith("the gate is ")
    assert [row.split()[0] for row in rows] == ["accepted", "refused", "refused"]
    assert "is not an image" in rows[1]


@needs_detector
def test_video_frames():
    (line,) = _run("video_frames.py", *example_paths()[::-1])
    assert line.startswith("frame 1 is the best Quality(ok, ")


@needs_detector
def test_resumable_run(tmp_path):
    folder, table = tmp_path / "photos", tmp_path / "scores.csv"
    folder.mkdir()
    shutil.copy(example_paths()[0], folder / "a.jpg")
    assert _run("resumable_run.py", table, folder) == ["1 images, 0 of them from before, 0 without a score"]
    first = table.read_bytes()
    (folder / "b.jpg").write_bytes(b"not an image")
    lines = _run("resumable_run.py", table, folder)
    assert lines[0] == "resuming: 1 of 2 images are done"
    assert lines[-1] == "2 images, 1 of them from before, 1 without a score"
    assert table.read_bytes().startswith(first)


@pytest.fixture(scope="module")
def people(tmp_path_factory) -> Path:
    """A folder of six people who do not exist, each four times, ever worse, and a judge who knows them."""
    folder, rng = tmp_path_factory.mktemp("people"), np.random.default_rng(0)
    names, embeddings = [], []
    for person in range(6):
        centre = rng.standard_normal(16)
        for step in range(4):
            crop = degrade(example_crops()[person % 2], "blur", step / 4, seed=person)
            names.append(f"person {person}/{step}.png")
            (folder / "set" / names[-1]).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(crop).save(folder / "set" / names[-1])
            embeddings.append(centre + 0.6 * step * rng.standard_normal(16))
    np.savez(folder / "judge.npz", names=np.array(names), embeddings=np.array(embeddings, np.float32))
    rows = [f"{name},{-int(name[-5])}" for name in names]
    (folder / "theirs.csv").write_text("\n".join(["path,score", *rows]))
    return folder


def test_evaluate_methods(people, tmp_path):
    given = [people / name for name in ("set", "judge.npz", "theirs.csv")]
    *lines, page = _run("evaluate_methods.py", *given, tmp_path)
    assert {line.split(":")[0] for line in lines} == {"vitnt", "attn", "theirs"}
    assert lines[0].endswith(", best")
    assert Path(page).is_file()


def test_calibrate_own(people, tmp_path):
    profile = tmp_path / "ours.json"
    photos = [people / "set" / f"person 0/{step}.png" for step in (0, 3)]
    gate, *lines = _run("calibrate_own.py", people / "set", people / "judge.npz", profile, *photos)
    assert gate.startswith("below ")
    assert ["Quality(ok, " in line for line in lines] == [True, True]
    assert "person 0" not in profile.read_text(encoding="utf-8")
