"""Chromium for tests of pages: what a page says on its console, what it asks for, and whether it fits."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

QUIET = ("background-networking", "component-update", "sync", "quic", "gpu")
FLAGS = ["--headless", "--no-sandbox", "--no-first-run", *(f"--disable-{name}" for name in QUIET)]
SCREENS = [(390, "light"), (390, "dark"), (1280, "light"), (1280, "dark")]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium of the system, one a module, since two can't be open at once."""
    api = pytest.importorskip("playwright.sync_api", reason="needs: pip install playwright")
    found = [shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")]
    if not any(found):
        pytest.skip("no Chromium is installed")
    with api.sync_playwright() as play:
        opened = play.chromium.launch(executable_path=next(filter(None, found)), args=FLAGS)
        yield opened
        opened.close()


@contextmanager
def visit(browser: Any, path: Path, width: int, scheme: str) -> Iterator[Any]:
    """A page on a screen. It must say nothing, ask for nothing outside its folder, and not be too wide."""
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert luminance(page, "backgroundColor") < 60 if scheme == "dark" else luminance(page, "color") < 60
    yield page
    page.close()
    assert said == []
    home = path.parent.as_uri()
    assert [url for url in asked if not url.startswith(("data:", home))] == []


def luminance(page: Any, what: str) -> float:
    """The mean of red, green and blue of the body's colour or background."""
    colour = page.evaluate(f"getComputedStyle(document.body).{what}")
    return sum(map(int, colour[4:-1].split(","))) / 3
