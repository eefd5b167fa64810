"""``fiqa best``: a folder of pictures or a video in, a folder of shots out."""

from __future__ import annotations

import csv
import importlib.util
import re

import numpy as np
import pytest
from benchmarks.scenes import Scene, write_video
from PIL import Image
from tests.cli.runs import ONE, detects, fiqa, message

videos = pytest.mark.skipif(importlib.util.find_spec("av") is None, reason="needs the extra video")


@detects
@videos
def test_two_who_cross_give_crops_a_table_a_sheet_embeddings_and_an_overlay(tmp_path):
    scene = Scene.make(13, size=(320, 240), seconds=2)  # the plot where two cross
    write_video(tmp_path / "scene.mp4", scene.frames(10), rate=10)
    out = tmp_path / "best"
    done = fiqa("best", tmp_path / "scene.mp4", "-o", out, *ONE, "--overlay", "--embedding", "--top", "2")
    rows = list(csv.DictReader((out / "best.csv").read_text().splitlines()))
    assert {row["person"] for row in rows} == {"1", "2"}
    for row in rows:
        assert 0 <= float(row["score"]) <= 100
        assert Image.open(out / row["crop"]).size == (112, 112)
    assert len(list((out / "crops").iterdir())) == len(rows)
    assert Image.open(out / "sheet.png").width > 112
    page = (out / "sheet.html").read_text(encoding="utf-8")
    assert sorted(re.findall(r'src="(crops/[^"]+)"', page)) == sorted(row["crop"] for row in rows)
    assert all(f"<strong>{float(row['score']):.0f}</strong>" in page for row in rows)
    stored = np.load(out / "embeddings.npz")
    assert stored["names"].tolist() == ["1", "2"]
    np.testing.assert_allclose(np.linalg.norm(stored["embeddings"], axis=1), 1, rtol=1e-5)
    import av

    with av.open(str(out / "overlay.mp4")) as container:
        assert len(list(container.decode(video=0))) == 10
    assert "10 samples of 1.8 s: 2 persons" in done.stderr.decode()
    again = fiqa("best", tmp_path / "scene.mp4", "-o", out, *ONE, expect=2)
    assert "holds best.csv of another run" in message(again)


@detects
def test_a_burst_names_the_picture_and_what_could_not_be_read(tmp_path):
    scene = Scene.make(0, size=(320, 240), seconds=1)
    for time, pixels in scene.frames(4):
        Image.fromarray(pixels).save(tmp_path / f"{time:.2f}.png")
    (tmp_path / "0.30.png").write_bytes(b"no picture")
    done = fiqa("best", tmp_path, "-o", tmp_path / "best", *ONE, "--format", "jsonl")
    assert "1 of 5 samples were left out, the first: 0.30.png: " in done.stderr.decode()
    assert b'"picture": "0.' in (tmp_path / "best" / "best.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("missing.mp4",), "there is no video"),
        (("camera:0", "--overlay"), "a camera or stream can be read once only"),
        (("camera:77",), "can't be opened as a video"),
        (("missing.mp4", "--mode", "quick"), "needs a gate"),
        (("missing.mp4", "--gate", "fnmr=77%"), "fnmr="),
        (("missing.mp4", "--format", "xml"), "format must be one of csv, jsonl"),
    ],
)
@videos
def test_wrong_use_is_one_sentence_and_leaves_nothing_behind(arguments, says, tmp_path):
    done = fiqa("best", *arguments, "-o", tmp_path / "best", *ONE, expect=2)
    assert says in message(done)
    assert not (tmp_path / "best").exists()
