"""Reports: the numbers that they hold, well-formed pages, and how they look to a browser."""

from __future__ import annotations

import csv
import html
import io
import json
import math
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.browser import SCREENS, browser, visit  # noqa: F401  (a fixture)

from fiqa.evaluation import Dataset, Evaluation, Measure, Resampled, Settings, evaluate
from fiqa.evaluation.report import csv_text, json_text, latex_text, write_report, write_validation
from fiqa.evaluation.validator import Ladder, Proposal, Validation
from fiqa.pages.charts import Box, Dots, box_plot, dot_chart, histogram
from fiqa.pages.curves import Line, line_chart
from fiqa.pages.page import number
from fiqa.pages.svg import ticks

AWKWARD = 'a <b> & "c"_1%'
SCRIPT = "<script>alert(1)</script>"  # a browser would run it where it is not escaped


class Pixels:
    name = identity = "pixels & co" + SCRIPT

    def embed(self, crops: np.ndarray) -> np.ndarray:
        return crops[:, ::8, ::8].reshape(len(crops), -1).astype(np.float32) - 127


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    rng = np.random.default_rng(0)
    images, names = [], []
    for person in range(6):
        base = np.repeat(np.repeat(rng.integers(0, 256, (14, 14, 3)), 8, axis=0), 8, axis=1)
        for k in range(5):
            file = io.BytesIO()
            noisy = base + (0, 20, 40, 60, 900)[k] * rng.standard_normal(base.shape)
            Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(file, "PNG")
            images.append(file.getvalue())
            names.append(f"person {person}/{SCRIPT}{k}.png")
    subjects = np.array([name.split("/")[0] for name in names])
    groups = np.tile(np.array(["a", "b", SCRIPT]), 10)
    return Dataset(AWKWARD + SCRIPT, tuple(images), tuple(names), subjects=subjects, groups=groups)


@pytest.fixture(scope="module")
def evaluation(dataset: Dataset) -> Evaluation:
    def score(crops: np.ndarray) -> list[np.ndarray]:
        x = crops.astype(np.float32)
        grain = np.abs(x[:, :, 1::8] - x[:, :, 2::8]).mean((1, 2, 3))
        return [-grain, grain]

    names = ("calm", AWKWARD + SCRIPT)
    measures = Measure(
        names=names, identities=names, details=("minus the noise", "<the noise>" + SCRIPT), of_crops=score
    )
    return evaluate([dataset], [Pixels()], [measures], Settings(fmrs=(0.05, 0.01), n_resamples=40, n_faces=2))


@pytest.fixture(scope="module")
def folder(evaluation: Evaluation, dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("report")
    assert write_report(evaluation, target, [dataset]) == target / "report.html"
    return target


def test_json_holds_every_figure(evaluation, folder):
    document = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    assert document["format"] == "fiqa-evaluation"
    for row, result in zip(document["results"], evaluation.results, strict=True):
        assert (row["method"], row["fmr"], row["pauc"]) == (result.method, result.fmr, result.pauc)
        assert row["curve"]["error_rate"] == result.curve.error_rate.tolist()
        assert row["fnmr"]["0.3"] == result.fnmr[0.3]
    assert document["distributions"][0]["worst"][0][1] == evaluation.distributions[0].worst[0][1]
    assert "NaN" not in json_text(evaluation)


def test_csv_has_a_row_a_result(evaluation, folder):
    with (folder / "results.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(evaluation.results)
    for row, result in zip(rows, evaluation.results, strict=True):
        assert row["method"] == result.method
        assert float(row["normalised"]) == result.normalised
        assert float(row["fnmr_at_0.1"]) == result.fnmr[0.1]
        assert row["is_best"] == str(result.is_best)
    assert csv_text(evaluation).count("\n") == len(rows) + 1


def test_latex_escapes_and_marks(evaluation):
    table = latex_text(evaluation)
    assert r"a <b> \& \"c\"\_1\%".replace(r"\"", '"') in table
    best = next(result for result in evaluation.results if result.is_best)
    assert rf"\textbf{{{best.normalised:.3f}}} [{best.low:.3f}, {best.high:.3f}]" in table
    rows = [line for line in table.splitlines() if line.endswith(r"\\")]
    assert {line.count(" & ") for line in rows} == {2}
    assert table.count("{") == table.count("}")


class Page(HTMLParser):
    """Elements, ids and addresses of a page; checks that every element is closed."""

    VOID = frozenset({"meta", "link", "img", "br"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.tags: list[str] = []
        self.text: list[str] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_page_is_well_formed_and_fetches_nothing(folder, evaluation):
    content = (folder / "report.html").read_text(encoding="utf-8")
    page = Page(content)
    assert len(page.ids) == len(set(page.ids))
    assert all(address.startswith("data:") for address in page.addresses)
    assert "script" not in page.tags
    assert "url(" not in content.replace("url(#", "")
    text = " ".join(page.text)
    for name in (f"/{SCRIPT}0.png", AWKWARD + SCRIPT, "pixels & co" + SCRIPT):
        assert name in text  # escaped, hence read back as it was
    for result in evaluation.results:
        assert number(result.normalised) in text
    for fact in ("minus the noise", "<the noise>", "pixels & co", "numpy"):
        assert fact in text
    for svg in content.split("<svg ")[1:]:
        ET.fromstring("<svg " + svg.split("</svg>")[0] + "</svg>")


def test_without_the_data_set_there_are_no_faces_and_no_names(evaluation, tmp_path):
    write_report(evaluation, tmp_path)
    for file in tmp_path.iterdir():
        content = file.read_text(encoding="utf-8")
        assert "data:image" not in content
        assert ".png" not in content


# --- charts -------------------------------------------------------------------------------------------------


def points_of(svg: str, kind: str) -> np.ndarray:
    root = ET.fromstring(svg)
    found = next(element for element in root.iter() if element.tag == kind)
    return np.array([[float(v) for v in point.split(",")] for point in found.attrib["points"].split()])


def test_a_line_lies_where_its_numbers_say():
    x, y = np.array([0.0, 0.25, 0.5]), np.array([0.4, 0.2, 0.0])
    svg = line_chart("k", "title", "what it shows", [Line(name="a", style=0, x=x, y=y)], ("x", "y"), 0.5)
    points = points_of(svg, "polyline")
    assert points[1, 0] - points[0, 0] == pytest.approx(points[2, 0] - points[1, 0], abs=0.11)
    assert points[2, 0] - points[0, 0] > 300  # most of the width, and beside it the name
    assert points[1, 1] == pytest.approx((points[0, 1] + points[2, 1]) / 2, abs=0.06)
    assert points[0, 1] < points[2, 1]  # up is more
    root = ET.fromstring(svg)
    assert root.attrib["role"] == "img"
    assert [root.find("title").text, root.find("desc").text] == ["title", "what it shows"]


def test_each_curve_has_its_name_at_its_end_and_no_two_touch():
    x, heights = np.array([0.0, 1.0]), [0.2, 0.2, 0.21, 0.9, 0.0, 0.0]
    lines = [
        Line(name=f"vitnt:blocks=0-11,alpha={at},weighting=last", style=at, x=x, y=np.full(2, height))
        for at, height in enumerate(heights)
    ]
    root = ET.fromstring(line_chart("k", "t", "d", lines, ("x", "y"), 1.0))
    names = [e for e in root.iter() if e.tag == "text" and e.attrib["class"] == "name"]
    assert [len(e.text) for e in names] == [22] * 6
    assert names[0].text.startswith("vitnt:")
    assert names[0].text.endswith("ghting=last")
    places = [float(e.attrib["y"]) for e in names]
    assert np.diff(sorted(places)).min() >= 13.9
    assert places[3] == min(places)  # the highest curve has the highest name
    assert max(places) <= 300 - 44 + 4
    titles = [e.find("title").text for e in root.iter() if e.attrib.get("class", "").startswith("curve")]
    assert titles == [line.name for line in lines]
    many = [Line(name=str(at), style=at, x=x, y=x) for at in range(40)]
    root = ET.fromstring(line_chart("k", "t", "d", many, ("x", "y"), 1.0))
    assert sum(e.tag == "polyline" for e in root.iter()) == 40
    assert sum(e.attrib.get("class") == "name" for e in root.iter()) == 18  # as many as there is room for


def test_only_the_best_and_the_first_have_a_band_at_once(evaluation, folder):
    content = (folder / "report.html").read_text(encoding="utf-8")
    assert content.count('class="band"') == len(evaluation.results)
    first = next(iter(evaluation.methods))
    shown = sum(result.is_best or result.method == first for result in evaluation.results)
    assert content.count('class="curve banded"') == shown < len(evaluation.results)


def test_the_headline_is_sorted_and_says_how_many_errors_there_are(evaluation, folder):
    content = (folder / "report.html").read_text(encoding="utf-8")
    table = content[content.index("<tbody>") : content.index("</tbody>")]
    places = {name: table.index(f'<th scope="row">{html.escape(name)}</th>') for name in evaluation.methods}
    mean = {
        name: np.mean([one.normalised for one in evaluation.results if one.method == name])
        for name in evaluation.methods
    }
    assert sorted(places, key=places.__getitem__) == sorted(mean, key=mean.__getitem__)
    (comparison,) = evaluation.comparisons
    for fmr in evaluation.settings.fmrs:
        n_errors = round(comparison.operating[fmr].fnmr * comparison.n_mated)
        assert f"FMR {fmr:g}, {n_errors:,} errors" in content
        said = [note for note in evaluation.notes if f"are errors at FMR {fmr:g}" in note]
        assert len(said) == (n_errors < 100)
        assert all(f": {n_errors} of {comparison.n_mated}" in note for note in said)


def test_few_errors_are_warned_of_where_they_carry_an_interval(evaluation):
    assert evaluation.comparisons[0].n_mated < 100  # so there are few, whatever the judge
    assert any("fewer than 100 errors" in note for note in evaluation.notes)


def test_worst_and_best_faces_are_open(folder, evaluation):
    content = (folder / "report.html").read_text(encoding="utf-8")
    assert content.count("<details open>") == len(evaluation.methods)


def test_dots_stand_where_their_numbers_say():
    series = [Dots(name="a", style=0, values=[-1.0, 0.0]), Dots(name="b", style=1, values=[np.nan, -0.5])]
    root = ET.fromstring(dot_chart("k", "t", "d", ["dark", "blur"], series, "x", (-1.0, 0.5)))
    dots = [e for e in root.iter() if e.attrib.get("class") == "dot"]
    assert [e.find("title").text for e in dots] == ["a, dark: -1.00", "a, blur: 0.00", "b, blur: -0.50"]
    places = [float(re.match(r"M(-?[\d.]+) ", e.attrib["d"])[1]) for e in dots]
    assert places[0] + 5 < places[2] < places[1]
    assert dots[0].attrib["d"].count("a") == 2  # a circle
    assert "a" not in dots[2].attrib["d"]


def test_lines_differ_in_dash_and_colour():
    x = np.array([0.0, 1.0])
    lines = [Line(name=str(style), style=style, x=x, y=x) for style in range(20)]
    svg = line_chart("k", "t", "d", lines, ("x", "y"), 1.0)
    styles = [e.attrib["style"] for e in ET.fromstring(svg).iter() if e.tag == "polyline"]
    assert len(set(styles)) == 20


def test_a_histogram_has_the_heights_of_its_counts():
    svg = histogram("k", "t", "d", [0, 1, 2, 3], [("s", 0, [1, 4, 2])], "x")
    points = points_of(svg, "polygon")
    base = points[0, 1]
    assert (base - points[[2, 4, 6], 1]) / (base - points[4, 1]) == pytest.approx([0.25, 1, 0.5], abs=0.01)


def test_a_box_plot_has_a_box_a_group_and_skips_empty_ones():
    boxes = [Box("a", np.arange(5.0)), Box("none", np.full(5, np.nan)), Box("c", np.ones(5))]
    root = ET.fromstring(box_plot("k", "t", "d", boxes, ("x", "y")))
    assert sum(e.tag == "rect" for e in root.iter()) == 2
    assert {"a", "none", "c"} <= {e.text for e in root.iter() if e.tag == "text"}


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 0.003), (-1, 1), (0, 95), (0.1, 0.19), (-3e5, 4e6)])
def test_ticks_are_round_and_inside(low, high):
    found = ticks(low, high)
    assert 2 <= len(found) <= 7
    for value, label in found:
        assert low - 1e-9 <= value <= high + 1e-9
        assert math.isclose(float(label), value, rel_tol=1e-2, abs_tol=1e-12)
    assert len({label for _, label in found}) == len(found)


@pytest.mark.parametrize(
    ("value", "shown"), [(0.1234, "0.123"), (-0.5, "−0.500"), (-1e-9, "0.000"), (math.nan, "–")]
)
def test_numbers(value, shown):
    assert number(value) == shown


# --- validation ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def validation_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    severity = np.linspace(0, 1, 6)

    def validation(spec: str, noise: float) -> Validation:
        ladders = tuple(
            Ladder(kind, severity, (1 - severity + noise * rng.standard_normal((9, 6))).astype(np.float32))
            for kind in (SCRIPT, "dark")
        )
        each = np.mean([ladder.spearman for ladder in ladders], axis=0)
        samples = rng.choice(each, (50, 9)).mean(axis=1)
        return Validation(spec, ladders, Resampled(float(each.mean()), samples))

    found = {spec: validation(spec, noise) for spec, noise in ((f"m:a={SCRIPT}", 0.1), ("m:a=2", 1.0))}
    proposals = {"m": Proposal(f"m:a={SCRIPT}", ("m:a=2",), f"m:a={SCRIPT}")}
    target = tmp_path_factory.mktemp("validation")
    page = write_validation(
        found, target, 9, proposals, (f"Only 9 images.{SCRIPT}",), f"some <model>{SCRIPT}"
    )
    document: dict[str, Any] = json.loads((target / "validation.json").read_text(encoding="utf-8"))
    assert document["proposals"]["m"]["spec"] == f"m:a={SCRIPT}"
    assert document["methods"][f"m:a={SCRIPT}"]["spearman"] == found[f"m:a={SCRIPT}"].spearman.estimate
    steps = document["methods"]["m:a=2"]["degradations"]["dark"]["quantiles"]
    np.testing.assert_array_equal(steps, found["m:a=2"].ladders[1].quantiles)
    return page


def test_the_validation_page(validation_page):
    page = Page(validation_page.read_text(encoding="utf-8"))
    text = " ".join(page.text)
    assert "some <model>" in text
    assert f"Only 9 images.{SCRIPT}" in text
    assert "script" not in page.tags
    assert page.tags.count("svg") == 4  # an overview with its legend; the proposed setting, two degradations
    assert len(page.ids) == len(set(page.ids))


# --- in a browser -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "scheme"), SCREENS)
def test_in_a_browser(browser, folder, validation_page, width, scheme):  # noqa: F811
    for path in (folder / "report.html", validation_page):
        with visit(browser, path, width, scheme) as page:
            # nothing is wider than the screen but what scrolls by itself, and all text can be read
            sizes = page.evaluate(
                """[...document.querySelectorAll('svg.chart')].map(s => {
                     const box = s.getBoundingClientRect();
                     const letters = [...s.querySelectorAll('text')].map(
                       t => parseFloat(getComputedStyle(t).fontSize));
                     return [box.width, Math.min(...letters) * box.width / s.viewBox.baseVal.width];
                   })"""
            )
            assert sizes
            assert all(270 <= chart <= width and letters >= 8 for chart, letters in sizes)
            tables = page.evaluate(
                "[...document.querySelectorAll('.scroll')].map(s => [s.clientWidth, s.scrollWidth, "
                "getComputedStyle(s.querySelector('.more')).display])"
            )
            assert tables
            for seen, whole, cue in tables:
                assert (cue == "none") == (seen == whole)  # a cue where, and only where, there is more
            assert width < 1000 or all(seen > 1000 for seen, _, _ in tables)  # as wide as the page
            page.emulate_media(media="print")
            background = page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert background == "rgb(255, 255, 255)"


def test_a_band_is_shown_to_who_points_at_its_curve(browser, folder):  # noqa: F811
    seen = """c => [...c.querySelectorAll('.band')].map(b => getComputedStyle(b).visibility)"""
    with visit(browser, folder / "report.html", 1280, "light") as page:
        curve = page.locator(".curve:not(.banded)").first
        assert curve.evaluate(seen) == ["hidden"]
        curve.locator(".name").hover()
        assert curve.evaluate(seen) == ["visible"]
        others = page.locator(".curve.banded").all()
        assert all(other.evaluate(seen) == ["visible"] for other in others)
