"""Every script in examples/ is short and runs as a user would run it."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageFilter

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
def test_an_example_is_at_most_25_lines_and_is_run_below(script):
    assert len(script.read_text(encoding="utf-8").splitlines()) <= 25
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
