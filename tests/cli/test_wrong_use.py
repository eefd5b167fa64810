"""What a user can get wrong: one sentence, exit code 2, and nothing is written."""

from __future__ import annotations

import pytest
from tests.cli.runs import ONE, fiqa, message


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["{empty}"], "no images in"),
        (["-"], "no images in '-'"),
        (["@nowhere.txt"], "the list 'nowhere.txt' can't be read"),
        (["{crop}", "-m", "vitt"], "no method 'vitt'. Did you mean 'vitnt'?"),
        (["{crop}", "-m", "vitnt:alpha=x"], "alpha of vitnt must be a positive number, but got 'x'"),
        (["{crop}", "--model", "defualt"], "no model 'defualt'. Did you mean 'default'?"),
        (["{crop}", "--model", "no/such.onnx"], "no model at 'no/such.onnx'"),
        (["{crop}", "--engine", "onnx"], "no engine 'onnx'. Did you mean 'onnxruntime'?"),
        (["{crop}", "--align", "maybe"], "align must be one of auto, none, detect"),
        (["{crop}", "--budget", "fast"], "a budget is a share, GFLOPs or milliseconds"),
        (["{crop}", "--precision", "fp64"], "precision of"),
        (["{crop}", "--profile", "nowhere.json"], "nowhere.json"),
        (["{crop}", "--landmarks", "nowhere.csv"], "nowhere.csv"),
        (["{crop}", "--rotate", "yes"], "rotate must be one of none, auto"),
        (["{crop}", "--rotate", "auto", "--align", "none"], "rotate='auto' needs a detector"),
        (["{crop}", "--min-face", "30", "--align", "none"], "--min-face is the detector's"),
        (["{crop}", "--max-side", "900", "--landmarks", "{empty}"], "--max-side is the detector's"),
        (["{crop}", "--min-face", "5"], "min_face must be at least 12 pixels, but got 5"),
        (["{crop}", "-o", "table.txt"], "no output format '.txt'"),
        (["{crop}", "-o", "no/such/table.csv"], "a folder that does not exist"),
        (["{crop}", "-o", "{crop}/table.csv"], "a folder that does not exist"),
        (["{crop}", "-o", "loop.csv"], "can't be used: Too many levels of symbolic links"),
        (["{crop}", "-o", "no/out/"], "a folder that does not exist"),
        (
            ["{crop}", "-o", "out/", "--shard", "2/2"],
            "a share must be K/N with K from 0 to N - 1",
        ),
        (["{crop}", "-o", "out/", "--shard", "x"], "a share must be K/N, such as 3/64, but got 'x'"),
        (["{crop}", "-o", "table.csv", "--workers", "2"], "--workers needs a folder of parts as --output"),
        (["{crop}", "-o", "table.csv", "--ray"], "--ray needs a folder of parts as --output"),
        (
            ["{crop}", "-o", "out/", "--ray", "{crop}"],
            "--ray must be local, auto or the address",
        ),
        (["{crop}", "-o", "out/", "--ray-resources", "GPU=1"], "--ray-resources needs --ray"),
        (
            ["{crop}", "-o", "out/", "--ray", "--ray-resources", "GPU=x"],
            "GPU of --ray-resources must",
        ),
        (["{crop}", "-o", "table.csv", "--save-crops", "{crop}"], "is no folder: name another"),
    ],
)
def test_wrong_use_is_one_sentence_and_code_2(arguments, says, many, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    filled = [a.format(empty=tmp_path / "empty", crop=many / "00000.png") for a in arguments]
    engine = () if "--engine" in filled else ONE
    done = fiqa("score", *filled, *engine, expect=2, input=b"", cwd=tmp_path)
    assert says in message(done)
    assert done.stdout == b""
    assert {file.name for file in tmp_path.iterdir()} == {"empty", "loop.csv"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["score"],
        ["score", "a.jpg", "--resume"],
        ["score", "a.jpg", "--save-crops", "x"],
        ["scoer"],
        ["score", "--x"],
    ],
)
def test_wrong_words_are_code_2_with_the_usage(arguments):
    assert b"Usage: fiqa" in fiqa(*arguments, expect=2).stderr
