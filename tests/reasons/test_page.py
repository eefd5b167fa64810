"""The page on reasons says what the code does: every code with its limit, component and advice."""

from __future__ import annotations

from pathlib import Path

import pytest

from fiqa.examples import example_crops
from fiqa.faces import face_around
from fiqa.reasons import ADVICE, CODES, Photo, Policy, diagnose
from fiqa.reasons.diagnosis import RULES
from fiqa.types import TEMPLATE

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "reasons.md").read_text(encoding="utf-8")
LINES = [[cell.strip() for cell in line.split("|")[1:-1]] for line in PAGE.splitlines() if line[:1] == "|"]
FACE = face_around(TEMPLATE + 100)
PHOTO = Photo(size=(400, 300), faces=(FACE,), jpeg_quality=75)
MEASURES = diagnose(PHOTO, FACE, example_crops()[0]).measures


def test_every_code_stands_in_its_place():
    table = [cells for cells in LINES if len(cells) == 5]
    assert [cells[0].strip("`") for cells in table if cells[0].strip("`") in CODES] == [*CODES]
    assert set(ADVICE.values()) <= {cells[-1] for cells in table}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.limit)
def test_a_code_has_the_limit_and_the_component_of_the_code(rule):
    (number,) = (i for i, cells in enumerate(LINES) if cells[0] == f"`{rule.code}`" and len(cells) == 5)
    cells = next(c for c in LINES[number:] if rule.limit == rule.code or f"(`{rule.limit}`)" in c[1])
    limit = getattr(Policy(), rule.limit)
    assert cells[2] == ("none" if limit is None else f"{limit:g}")
    assert cells[3] == (MEASURES[rule.measure].component or "")


@pytest.mark.parametrize("name", MEASURES)
def test_every_measure_is_described_with_its_component(name):
    (cells,) = (c for c in LINES if f"`{name}`" in c[0] and len(c) == 3)
    component = MEASURES[name].component
    assert (component in cells[2].split(", ")) if component else not cells[2]
