"""What a person sees on a terminal: one line a face, paths shortened in the middle, colours by the gates."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest

from fiqa.calibration import Calibration, Threshold
from fiqa.cli.tables import Marks, print_gates, print_table, shortened
from fiqa.models import embedded
from fiqa.types import ModelCard, Quality

GATES = (
    Threshold(kind="fnmr", target=0.05, raw=0.8, score=80.0, low=0.7, high=0.9, discarded=0.4),
    Threshold(kind="fnmr", target=0.01, raw=0.9, score=90.0, low=0.8, high=0.95, discarded=0.5),
    Threshold(kind="discard", target=0.2, raw=0.2, score=20.0, low=0.1, high=0.3, discarded=0.2),
    Threshold(kind="discard", target=0.01, raw=0.1, score=10.0, low=0.05, high=0.15, discarded=0.01),
)
CALIBRATION = Calibration(
    spec="attn", raw=(0.0, 1.0), score=(0.0, 100.0), meaning="per cent", thresholds=GATES
)


class FakeScorer:
    """As much of a scorer as the table reads."""

    card = ModelCard("net", depth=2, grid=(2, 2))
    specs = ("attn",)
    scored_by = "attn"
    calibration = CALIBRATION
    policy = None


def _quality(score: float, path: str) -> Quality:
    return Quality("ok", score=score, scored_by="attn", raw={"attn": score / 100}, path=path)


def _printed(
    monkeypatch: pytest.MonkeyPatch, qualities: list[Quality], columns: int, **environment: str
) -> str:
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"COLUMNS": str(columns), "TERM": "xterm-256color", **environment}.items():
        monkeypatch.setenv(name, value)
    out = io.StringIO()
    out.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stdout", out)
    print_table(qualities, FakeScorer())  # type: ignore[arg-type]
    return out.getvalue()


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_a_face_takes_one_line_and_its_file_name_stays_whole(monkeypatch, columns):
    paths = [f"/data/{'folder/' * depth}person-{depth}.jpg" for depth in range(1, 15)]
    text = _printed(monkeypatch, [_quality(50, path) for path in paths], columns, NO_COLOR="1")
    lines = text.splitlines()
    assert len(lines) == 2 + len(paths) + 1  # header, faces, legend
    for path, line in zip(paths, lines[2:], strict=False):
        assert path.rpartition("/")[2] in line
        assert len(line) <= columns
    assert "score by" in lines[0]
    assert "attn" in lines[1]
    assert "\x1b[3" not in text  # no colour


def test_colours_follow_the_gates(monkeypatch):
    text = _printed(monkeypatch, [_quality(85, "good"), _quality(50, "fair"), _quality(5, "poor")], 80)
    good, fair, poor, legend = text.splitlines()[2:]
    assert "\x1b[32m" in good
    assert "\x1b[31m" in poor
    assert "\x1b[3" not in fair
    assert "green from 80 (FNMR 5%), red below 20 (the lowest 20%)" in legend


def test_without_a_calibration_there_is_no_colour_and_no_legend():
    marks = Marks(None)
    assert marks.style(99.0) is None
    assert marks.legend == ""


@pytest.mark.parametrize(
    ("path", "width", "expected"),
    [
        ("a/b.jpg", 20, "a/b.jpg"),
        ("one/two/three/four/face.jpg", 20, "one/two/th…/face.jpg"),
        ("one/two/a-name-that-is-longer-than-that.jpg", 20, "a-name-that-is-longer-than-that.jpg"),
        ("顔/顔/顔/顔/顔.jpg", 13, "顔/顔…/顔.jpg"),
    ],
)
def test_the_middle_of_a_path_gives_way(path, width, expected):
    assert shortened(path, width) == expected


def test_the_gates_of_the_embedded_profile_are_a_table(capsys):
    profile = embedded().profile
    print_gates(profile)
    lines = capsys.readouterr().out.splitlines()
    n_gates = sum(len(c.thresholds) for c in profile.calibrations.values())
    assert sum("%" in line for line in lines) >= n_gates
    assert lines[-1].endswith(profile.source)
    assert np.mean([len(line) <= 140 for line in lines]) == 1
