"""The detector's options on the command line."""

from __future__ import annotations

from PIL import Image
from tests.cli.runs import FAST, detects, fiqa, message, table

from fiqa.examples import example_paths


@detects
def test_turned_photographs_are_scored_when_asked_for_and_small_faces_can_be_left_out(tmp_path):
    for path in example_paths():
        Image.open(path).transpose(Image.Transpose.ROTATE_90).save(tmp_path / f"{path.stem}.png")
    output = tmp_path / "table.csv"
    run = ["score", tmp_path, *FAST, "-o", output]
    fiqa(*run, expect=3)
    done = fiqa(*run, "--resume", "--rotate", "auto", expect=2)
    assert "was written with detector 'default detector', not" in message(done)
    fiqa(*run, "--rotate", "auto")
    rows = table(output.read_bytes()).values()
    assert [(row["status"], row["rotation"]) for row in rows] == [("ok", "90")] * 2
    fiqa(*run, "--rotate", "auto", "--min-face", "300", expect=3)
