"""The page for everybody: by keyboard alone, for screen readers, at any width, light and dark."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.web.browser import ROOT, SECONDS, Visit, chromium, require_page, served

require_page()

from tools.page_golden import pictures  # noqa: E402

from fiqa import web  # noqa: E402

AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def visit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visit]:
    """A page with two photos and one that has no score; tools may look into it."""
    with served(web.write(tmp_path_factory.mktemp("page") / "site")) as address, chromium() as browser:
        context = browser.new_context(bypass_csp=True, service_workers="block", locale="en-GB")
        visit = Visit(context.new_page())
        visit.watch()
        visit.open(address)
        wanted = {"astronaut.jpg", "grace_hopper dark 0.7.png"}
        files = [
            {"name": name, "mimeType": "image/jpeg", "buffer": data}
            for name, data in pictures()
            if name in wanted
        ]
        visit.add([*files, {"name": "text.png", "mimeType": "image/png", "buffer": b"text"}])
        yield visit


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing(visit: Visit, width: int, scheme: Any) -> None:
    if not AXE.is_file():
        pytest.skip("needs the packages of web, which 'make page' installs")
    page = visit.page
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    for box in page.locator("#list input[type=checkbox]").all()[-2:]:
        box.check()
    page.locator("#compare").click()
    page.locator(".about summary").click()
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run().then(({violations}) => violations)")
    assert [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in found] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator(".about summary").click()
    page.locator("#comparison > button").click()


def test_all_of_it_by_keyboard(visit: Visit) -> None:
    page = visit.page
    page.set_viewport_size({"width": 1280, "height": 800})
    page.locator("#language").focus()
    reached = []
    for _ in range(30):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.className"))
        if reached[-1] == "face":
            break
    assert [name for name in reached if name in ("choose", "open-camera", "download", "clear")] == [
        "choose", "open-camera", "download", "clear",
    ]  # fmt: skip
    page.locator("li:has(.face:focus) .scale").wait_for(state="visible")
    page.keyboard.press("Enter")
    assert page.locator("button.face:focus").get_attribute("aria-pressed") == "true"
    page.keyboard.press("Enter")
    first = page.locator("button.face:focus").get_attribute("aria-label")
    page.keyboard.press("Tab")
    before = page.locator("input:focus").is_checked()
    page.keyboard.press("Space")  # compare: the list is drawn anew, and the focus stays
    assert page.locator("input[type=checkbox]:focus").is_checked() is not before
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # remove
    page.locator("#list > li").nth(2).wait_for(state="detached", timeout=SECONDS)
    assert first not in [face.get_attribute("aria-label") for face in page.locator("#list button.face").all()]
    assert page.evaluate("document.activeElement.textContent") == "Remove"
    assert visit.complaints == []
