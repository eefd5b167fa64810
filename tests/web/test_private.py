"""The page as a static folder in Chromium: all is computed there, and is what the command line says."""

from __future__ import annotations

import base64
import csv
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.web.browser import ROOT, Visit, chromium, require_page, served

require_page()

from tools.page_golden import pictures  # noqa: E402

from fiqa import Scorer, web  # noqa: E402
from fiqa.examples import example_paths  # noqa: E402

FIXTURE = json.loads((ROOT / "tests" / "fixtures" / "page.json").read_text(encoding="utf-8"))
GOLDEN = FIXTURE["judged"]
TOLERANCE = 0.5  # points of 100
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(web.write(tmp_path_factory.mktemp("page") / "site")) as address:
        yield address


@pytest.fixture(scope="module")
def opened(browser: Any, address: str) -> Iterator[Visit]:
    context = browser.new_context(
        viewport={"width": 1280, "height": 900}, service_workers="block", locale="en-GB"
    )
    visit = Visit(context.new_page())
    visit.watch()
    visit.open(address)
    yield visit
    context.close()


@pytest.fixture
def visit(opened: Visit) -> Iterator[Visit]:
    """One page for all tests, empty for each."""
    opened.page.locator("#language").select_option("en")
    yield opened
    if opened.page.locator("#results").is_visible():
        opened.page.locator("#clear").click()


def rows_of(visit: Visit) -> list[dict[str, str]]:
    with visit.page.expect_download() as download:
        visit.page.locator("#download").click()
    return list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text(encoding="utf-8"))))


def as_file(name: str, data: bytes) -> dict[str, Any]:
    return {"name": name, "mimeType": "image/jpeg" if name.endswith("jpg") else "image/png", "buffer": data}


def test_the_page_says_what_the_command_line_says(visit: Visit, address: str) -> None:
    """Portraits and ladders: scores within half a point, the same reasons in the same order."""
    visit.add([as_file(name, data) for name, data in pictures()])
    rows = rows_of(visit)
    assert {row["path"] for row in rows} == set(GOLDEN)
    for row in rows:
        expected = GOLDEN[row["path"]]
        assert row["status"] == expected["status"]
        assert float(row["score"]) == pytest.approx(expected["score"], abs=TOLERANCE), row["path"]
        assert [code for code in row["reasons"].split(";") if code] == expected["reasons"], row["path"]
    scores = [float(row["score"]) for row in rows]
    assert scores == sorted(scores), "the worst stands first"
    assert visit.complaints == []
    # nothing goes anywhere but to this server, and nothing goes up
    assert all(url.startswith(address) or url.startswith("blob:") for _, url, _ in visit.requests)
    assert [(url, body) for method, url, body in visit.requests if method != "GET" or body] == []


def test_landmarks_map_and_measures(browser: Any, address: str) -> None:
    """What stands behind the number, asked from the page's engine by a script of this test."""
    context = browser.new_context(bypass_csp=True, service_workers="block")
    page = context.new_page()
    page.goto(address)
    found = page.evaluate(
        """async (encoded) => {
          const { Engine } = await import("./assets/app/engine.js");
          const bytes = Uint8Array.from(atob(encoded), (one) => one.charCodeAt(0));
          const found = await new Engine().judge(new Blob([bytes]));
          return { ...found, crop: null };
        }""",
        base64.b64encode(example_paths()[0].read_bytes()).decode("ascii"),
    )
    expected = FIXTURE["measured"][0]
    np.testing.assert_allclose(found["face"]["landmarks"], GOLDEN["astronaut.jpg"]["landmarks"], atol=0.05)
    np.testing.assert_allclose(found["map"], expected["map"], atol=0.005)
    assert np.std(expected["map"]) > 0.1, "the map is not flat beside that"
    for name in ("blur", "noise", "brightest", "side_ratio", "contrast", "block_steps"):
        assert found["measures"][name] == pytest.approx(expected["measures"][name], rel=0.01, abs=0.01), name
    context.close()


def test_photographs_of_many_people(visit: Visit, shared: Path) -> None:
    """40 photos whose faces are found, aligned and scored in the browser."""
    with tarfile.open(shared / "data" / "lfw250-sample.tar") as tar:
        members = [member for member in tar.getmembers() if member.name.endswith(".jpg")][:40]
        photos = {Path(member.name).name: tar.extractfile(member).read() for member in members}  # type: ignore[union-attr]
    visit.add([as_file(name, data) for name, data in photos.items()])
    scorer = Scorer(reasons=True, engine="onnxruntime", threads=1)
    found = {row["path"]: row for row in rows_of(visit)}
    for name, quality in zip(photos, scorer.stream(list(photos.values())), strict=True):
        row = found[name]
        assert row["status"] == quality.status, name
        if quality.score is not None:
            assert float(row["score"]) == pytest.approx(quality.score, abs=TOLERANCE), name
        assert [code for code in row["reasons"].split(";") if code] == [one.code for one in quality.reasons]


def test_what_is_no_picture_is_a_card_with_its_status(visit: Visit) -> None:
    blank = next(data for name, data in pictures() if "overexposed 1.0" in name)
    visit.add([as_file("text.png", b"no picture"), as_file("cut.png", blank[:200])])
    assert [card.locator(".status").inner_text() for card in visit.cards()] == [
        "Not a picture this browser can read"
    ] * 2
    assert {row["status"] for row in rows_of(visit)} == {"unreadable"}


def test_the_map_shows_under_the_pointer_and_with_the_focus(visit: Visit) -> None:
    visit.add(list(map(str, example_paths()[:1])))
    face, scale = visit.page.locator("button.face"), visit.page.locator(".face-and-scale .scale")
    plain = face.screenshot()
    face.hover()
    scale.wait_for(state="visible")
    assert face.screenshot() != plain
    visit.page.mouse.move(0, 0)
    scale.wait_for(state="hidden")
    assert face.screenshot() == plain
    face.click()
    visit.page.mouse.move(0, 0)
    assert face.get_attribute("aria-pressed") == "true"
    assert scale.is_visible()


def test_two_photos_are_compared(visit: Visit) -> None:
    dark = next((name, data) for name, data in pictures() if "dark 0.7" in name)
    visit.add([as_file(*dark), as_file("portrait.jpg", example_paths()[0].read_bytes())])
    compare = visit.page.locator("#compare")
    assert compare.is_disabled()
    for card in visit.cards():
        card.locator("input[type=checkbox]").check()
    compare.click()
    verdict = visit.page.locator(".verdict").inner_text()
    assert verdict.startswith("Keep portrait.jpg: its score is 10.0 points higher.")
    assert "too dark" in verdict
    assert visit.page.locator(".side.kept h4").inner_text() == "portrait.jpg"


def test_another_language(visit: Visit) -> None:
    """Chosen at any time: what is said already is said again."""
    dark = next((name, data) for name, data in pictures() if "dark 0.7" in name)
    visit.add([as_file(*dark), as_file("portrait.jpg", example_paths()[0].read_bytes())])
    for card in visit.cards():
        card.locator("input[type=checkbox]").check()
    visit.page.locator("#compare").click()
    for language, reason, progress, verdict in (
        ("de", "Zu dunkel", "2 Fotos bewertet.", "portrait.jpg behalten"),
        ("es", "Demasiado oscura", "2 fotos evaluadas.", "Conserve portrait.jpg"),
        ("fr", "Trop sombre", "2 photos évaluées.", "Gardez portrait.jpg"),
    ):
        visit.page.locator("#language").select_option(language)
        visit.page.locator(f"html[lang={language}]").wait_for(state="attached")
        visit.page.get_by_text(verdict).wait_for()
        assert visit.cards()[0].locator(".reasons strong").inner_text() == reason
        assert visit.page.locator("#progress").inner_text() == progress


def test_it_works_offline_after_the_first_visit(browser: Any, address: str) -> None:
    context = browser.new_context()
    visit = Visit(context.new_page())
    visit.open(address)
    if not context.service_workers:
        context.wait_for_event("serviceworker")
    # it is installed once its cache is full, which the next visit sees
    visit.page.wait_for_timeout(1500)
    context.set_offline(True)
    visit.open(address)
    visit.add(list(map(str, example_paths()[:1])))
    assert visit.page.locator(".score strong").inner_text() == "100"
    context.close()
