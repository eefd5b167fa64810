"""Reports: the numbers that they hold, well-formed pages, and how they look to a browser."""

from __future__ import annotations

import csv
import io
import json
import math
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fiqa.evaluation import Dataset, Evaluation, Measure, Resampled, Settings, evaluate
from fiqa.evaluation.report import csv_text, json_text, latex_text, write_report, write_validation
from fiqa.evaluation.validator import Ladder, Proposal, Validation
from fiqa.pages.charts import Box, box_plot, histogram
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

    VOID = frozenset({"meta", "link", "img", "br", "line", "polygon", "polyline", "rect", "path"})

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
        self.tags.append(tag)
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in self.VOID or tag == "polyline" or tag == "polygon":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if self.open and self.open[-1] == tag:
            self.open.pop()

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
    assert np.diff(points[:, 0]) == pytest.approx([188, 188])  # evenly over the width
    assert points[1, 1] == pytest.approx((points[0, 1] + points[2, 1]) / 2, abs=0.06)
    assert points[0, 1] < points[2, 1]  # up is more
    root = ET.fromstring(svg)
    assert root.attrib["role"] == "img"
    assert [root.find("title").text, root.find("desc").text] == ["title", "what it shows"]


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
    assert page.tags.count("svg") == 2  # the proposed setting, two degradations
    assert len(page.ids) == len(set(page.ids))


# --- in a browser -------------------------------------------------------------------------------------------

QUIET = ("background-networking", "component-update", "sync", "quic", "gpu")
FLAGS = ["--headless", "--no-sandbox", "--no-first-run", *(f"--disable-{name}" for name in QUIET)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="needs: pip install playwright")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium is installed")
    with api.sync_playwright() as play:
        opened = play.chromium.launch(executable_path=chromium, args=FLAGS)
        yield opened
        opened.close()


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_a_browser(browser, folder, validation_page, width, scheme):
    for path in (folder / "report.html", validation_page):
        page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
        said: list[str] = []
        asked: list[str] = []
        page.on("console", lambda message, said=said: said.append(message.text))
        page.on("pageerror", lambda error, said=said: said.append(str(error)))
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        page.goto(path.as_uri())
        assert said == []
        assert [url for url in asked if not url.startswith("data:")] == [path.as_uri()]
        # nothing is wider than the screen but what scrolls by itself, and all text can be read
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        sizes = page.evaluate(
            """[...document.querySelectorAll('svg.chart')].map(s => {
                 const box = s.getBoundingClientRect();
                 return [box.width, 12 * box.width / s.viewBox.baseVal.width];
               })"""
        )
        assert sizes
        assert all(270 <= chart <= width and letters >= 8 for chart, letters in sizes)
        colours = page.evaluate(
            "(b => [getComputedStyle(b).color, getComputedStyle(b).backgroundColor])(document.body)"
        )
        light = [sum(map(int, colour[4:-1].split(","))) / 3 for colour in colours]
        assert (light[0] > light[1]) == (scheme == "dark")
        assert abs(light[0] - light[1]) > 150
        page.emulate_media(media="print")
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert background == "rgb(255, 255, 255)"
        page.close()
