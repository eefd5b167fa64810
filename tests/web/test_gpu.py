"""The page on a graphics processor, which Chromium plays in software: the same numbers, or none of it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
from tests.web.browser import ROOT, SECONDS, Visit, chromium, require_page, served

require_page()

from fiqa import web  # noqa: E402
from fiqa.examples import example_paths  # noqa: E402

GOLDEN = json.loads((ROOT / "tests" / "fixtures" / "page.json").read_text(encoding="utf-8"))["judged"]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader") as browser:
        yield browser


@pytest.fixture
def visit(browser: Any, tmp_path: Any) -> Iterator[Visit]:
    with served(web.write(tmp_path / "site")) as address:
        context = browser.new_context(service_workers="block", locale="en-GB")
        visit = Visit(context.new_page())
        visit.watch()
        visit.open(address)
        yield visit
        context.close()


@pytest.mark.skipif(
    "FIQA_TEST_GPU" not in os.environ, reason="takes two minutes in software: set FIQA_TEST_GPU"
)
def test_it_gives_the_same_number(visit: Visit) -> None:
    visit.page.locator("#mode").select_option("gpu")
    visit.page.locator("html:not([data-ready])").wait_for(state="attached", timeout=SECONDS)
    visit.page.locator("html[data-ready]").wait_for(state="attached", timeout=2 * SECONDS)
    assert visit.page.locator("#mode").input_value() == "gpu", visit.page.locator("#progress").inner_text()
    visit.add(list(map(str, example_paths())))
    scores = [int(text) for text in visit.page.locator(".score strong").all_inner_texts()]
    assert scores == sorted(round(GOLDEN[path.name]["score"]) for path in example_paths())
    assert any("asyncify.wasm" in url for _, url, _ in visit.requests)


def test_where_it_can_t_be_used_the_page_goes_on_without(visit: Visit) -> None:
    visit.page.context.route("**/*asyncify.wasm.gz", lambda route: route.abort())
    visit.page.locator("#mode").select_option("gpu")
    visit.page.get_by_text("The graphics processor can't be used here").wait_for(timeout=2 * SECONDS)
    assert visit.page.locator("#mode").input_value() == "private"
    visit.add(list(map(str, example_paths()[:1])))
    assert visit.page.locator(".score strong").inner_text() == "100"
