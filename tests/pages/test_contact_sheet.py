"""The sheet of a table: true numbers, the right faces, nothing fetched, right on narrow and wide screens."""

from __future__ import annotations

import base64
import io
import json
import re
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.browser import SCREENS, browser, visit  # noqa: F401  (a fixture)
from tests.pages.test_explanation import Page
from tests.pipeline.sorted_files import write_table
from typer.testing import CliRunner

from fiqa.calibration import Calibration, Threshold
from fiqa.cli.main import app
from fiqa.examples import example_crops, example_landmarks, example_paths
from fiqa.pages.charts import Mark, count_chart
from fiqa.pages.contact_sheet import write_sheet
from fiqa.pages.overview import overview, reason_codes
from fiqa.pages.thumbnails import SIDE, thumbnail
from fiqa.pipeline import ResultTable

GATES = tuple(
    Threshold(
        kind=kind, target=target, raw=raw, score=100 * raw, low=raw - 0.1, high=raw + 0.1, discarded=share
    )
    for kind, target, raw, share in (
        ("fnmr", 0.01, 0.8, 0.4),
        ("fnmr", 0.05, 0.5, 0.2),
        ("discard", 0.1, 0.3, 0.1),
    )
)
KNOWN = Calibration(spec="attn", raw=(0, 1), score=(0, 100), meaning="per cent of & <b>", thresholds=GATES)
FACTS = {
    "decides": {"model": "net <i>", "engine": "e", "scored_by": "attn", "methods": {"attn": "attn"}},
    "calibration": asdict(KNOWN),
    "context": {"packages": {"fiqa": "0"}},
}


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> ResultTable:
    """60 rows of three people, of whom one is nowhere scored; two pictures are there, one name is HTML."""
    folder = tmp_path_factory.mktemp("sheet")
    rng, rows = np.random.default_rng(5), []
    for number in range(60):
        person = f"person {number % 3}"
        ok = number % 3 != 2 and number % 20 != 7
        name = f"{person}/{number}.png" if number else f"{person}/<b>&0.png"
        raw = round(float(rng.uniform(0, 1)), 6)
        codes = ["sharpness", "yaw"][: number % 3] if ok else []
        rows.append(
            {
                "path": f"photos/{name}",
                "face": 0 if ok else None,
                "status": "ok" if ok else "no_face",
                "score": round(100 * raw, 2) if ok else None,
                "attn": raw if ok else None,
                "reasons": [{"code": code, "advice": "Do."} for code in codes],
            }
        )
    scored = sorted((row for row in rows if row["score"] is not None), key=lambda row: row["score"])
    for row in (scored[0], scored[-1]):
        target = folder / row["path"]
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(example_crops()[0]).save(target)
    path = folder / "scores.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"path": "half')
    Path(f"{path}.run.json").write_text(json.dumps(FACTS))
    return ResultTable(path)


def test_the_numbers_are_those_of_the_table(table):
    rows = list(table.rows())
    scored = [row["score"] for row in rows if row["status"] == "ok"]
    found = overview(table, gate=table.gate("fnmr=1%"), most=4)
    assert found.statuses == Counter(row["status"] for row in rows)
    assert (found.n_faces, found.n_scored, found.n_broken) == (60, len(scored), 1)
    assert found.median == pytest.approx(np.median(scored))
    assert found.counts.sum() == len(scored)
    assert (found.edges[0], found.edges[-1]) == (0, 100)
    assert [one.quality for one in found.worst] == sorted(scored)[:4]
    assert [one.quality for one in found.best] == sorted(scored)[:-5:-1]
    assert found.codes == Counter(code for row in rows for code in reason_codes(row))
    passing = {gate.rule: n for gate, n in found.passing}
    assert passing == {
        rule: sum(row["status"] == "ok" and row["attn"] >= raw for row in rows)
        for rule, raw in (("fnmr=1%", 0.8), ("fnmr=5%", 0.5), ("discard=10%", 0.3))
    }
    assert found.passing[0][0].rule == "fnmr=1%"
    folders = {folder.name: folder for folder in found.folders}
    assert set(folders) == {"person 0", "person 1", "person 2"}
    assert (found.folders[0].name, folders["person 2"].n_scored) == ("person 2", 0)  # nothing is worst
    own = [row for row in rows if "person 0" in row["path"] and row["status"] == "ok"]
    assert folders["person 0"].median == pytest.approx(np.median([row["score"] for row in own]))
    assert folders["person 0"].n_passing == sum(row["attn"] >= 0.8 for row in own)


def test_the_page_shows_them_and_needs_nothing_else(table, tmp_path):
    path = write_sheet(table, tmp_path / "sheet.html", gate="fnmr=5%", most=3, root=table.path.parent)
    text, page = path.read_text(encoding="utf-8"), Page(path)
    found = overview(table, gate=table.gate("fnmr=5%"), most=3)
    n_passing = found.passing[0][1]
    assert f"{n_passing} pass the gate and {60 - n_passing} don't" in page.text
    assert f"{found.n_scored} of 60 rows have a score" in page.text
    assert "1 rows are no whole rows" in page.text
    assert "4 of the faces shown are not where the table says" in page.text
    assert [image["alt"] for image in page.images] == [
        found.worst[0].values["path"],
        found.best[0].values["path"],
    ]
    assert all(image["src"].startswith("data:image/jpeg;base64,") for image in page.images)
    for word in ("sharpness", "no face", "40.00 – 60.00", "discard=10%", "per cent of & <b>", "net <i>"):
        assert word in page.text, word
    assert "<b>" not in text  # names are text
    assert not re.search(r"(?:src|href)=\"(?!data:)", text)
    assert "script" not in page.tags
    assert "<title>1%</title>" in text
    assert str(tmp_path) not in text  # no path of this machine but those of the table


@pytest.mark.parametrize(("width", "scheme"), SCREENS)
def test_it_fits_a_screen_and_asks_for_nothing(browser, table, tmp_path, width, scheme):  # noqa: F811
    path = write_sheet(table, tmp_path / "sheet.html", gate="60", root=table.path.parent)
    with visit(browser, path, width, scheme) as page:
        assert page.locator(".faces.large figure").count() == 48  # 24 of each


def test_tables_of_all_kinds_have_a_sheet(tmp_path):
    empty = write_table(tmp_path / "empty.csv", [])
    assert "0 of 0 rows have a score" in Page(write_sheet(empty, tmp_path / "a.html")).text
    none = write_table(tmp_path / "none.csv", [("a.jpg", "", "no_face", "", "", "none found")])
    assert "0 of 1 rows have a score" in Page(write_sheet(none, tmp_path / "b.html", gate="60")).text
    one = write_table(tmp_path / "one.csv", [("a.jpg", 0, "ok", 50, "", "")])
    assert "1 of 1 rows have a score" in Page(write_sheet(one, tmp_path / "c.html")).text
    facts = {"decides": {"scored_by": None, "methods": {"attn": "attn"}}, "calibration": None}
    (tmp_path / "raw.csv.run.json").write_text(json.dumps(facts))
    raw = write_table(
        tmp_path / "raw.csv", [("a.jpg", 0, "ok", "", -3.5, ""), ("b.jpg", 0, "ok", "", 2.5, "")]
    )
    page = Page(write_sheet(raw, tmp_path / "d.html"))
    assert "faces are ordered by attn" in page.text
    assert "−3.5000" in page.text


def test_reasons_are_read_from_every_format():
    assert reason_codes({"reasons": "yaw;noise"}) == ("yaw", "noise")
    assert reason_codes({"reasons": [{"code": "yaw"}, {}]}) == ("yaw",)
    assert reason_codes({"reasons": ""}) == reason_codes({"reasons": None}) == reason_codes({}) == ()


def _picture(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


def test_a_thumbnail_is_the_face_upright(tmp_path):
    path = example_paths()[0]
    line = next(line for line in example_landmarks().read_text().splitlines() if line.startswith("astronaut"))
    xs, ys = (np.array([float(v) for v in line.split(",")[1:]])[i::2] for i in (0, 1))
    values = {
        "path": path.name,
        "left": xs.min() - 20,
        "right": xs.max() + 20,
        "top": ys.min() - 30,
        "bottom": ys.max() + 20,
    }
    face = _picture(thumbnail(values, path.parent))
    assert max(face.size) == SIDE
    assert min(face.size) >= SIDE - 2  # a square
    whole = _picture(thumbnail({"path": path.name}, path.parent))
    assert np.abs(np.asarray(face.resize(whole.size), float) - np.asarray(whole, float)).mean() > 20
    turned = _picture(thumbnail(values | {"rotation": 90}, path.parent))
    np.testing.assert_allclose(np.asarray(turned, float), np.rot90(np.asarray(face, float), -1), atol=40)
    assert thumbnail({"path": "gone.jpg"}, path.parent) is None
    beyond = thumbnail({"path": path.name, "left": 9e4, "right": 9e4, "top": 9e4, "bottom": 9e4}, path.parent)
    assert beyond is not None  # a table of other photographs


def test_labels_of_gates_that_would_touch_are_left_out():
    marks = [
        Mark(label=label, place=place, style=1, row=row)
        for label, place, row in (("1%", 97, 0), ("5%", 98, 0), ("10%", 20, 0), ("20%", 98, 1))
    ]
    svg = count_chart("k", "t", "d", [0, 50, 100], [3, 9], ("score", "faces"), marks, 60)
    assert re.findall(r'text-anchor="middle">([0-9]+%)<', svg) == ["1%", "10%", "20%"]
    assert svg.count('class="gate"') == 4


def test_the_command_prints_the_pages_name(table, tmp_path):
    out = tmp_path / "sheet.html"
    done = CliRunner().invoke(app, ["sheet", str(table.path), "-o", str(out), "--at", "60", "--faces", "2"])
    assert (done.exit_code, done.stdout) == (0, f"{out}\n")
    assert "a score from 60 passes" in Page(out).text
