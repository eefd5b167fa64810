"""What the tests of the page share: where it is, a server of its files that remembers, and a browser."""

from __future__ import annotations

import http.server
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fiqa import web

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = next((path for name in ("chromium", "chromium-browser") if (path := shutil.which(name))), None)
SECONDS = 60_000  # milliseconds that a busy machine may take


def require_page() -> None:
    """Skip this module where there is no browser or no built page."""
    if web.built() is None:
        pytest.skip("the page is not built: 'make page' needs Node", allow_module_level=True)
    if CHROMIUM is None:
        pytest.skip("needs Chromium", allow_module_level=True)
    pytest.importorskip("playwright.sync_api")


@dataclass
class Visit:
    """A page that is open, and what it did.

    Attributes:
        page: Playwright's.
        requests: method, address and body of everything that was asked for, by the worker too.
        complaints: errors and warnings of its console, and exceptions.
    """

    page: Any
    requests: list[tuple[str, str, bytes | None]] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def watch(self) -> None:
        self.page.context.on(
            "request", lambda one: self.requests.append((one.method, one.url, one.post_data_buffer))
        )
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on(
            "console",
            lambda line: (
                line.type in ("error", "warning")
                and "blocked by Playwright" not in line.text  # service workers, where a test wants none
                and self.complaints.append(line.text)
            ),
        )

    def open(self, address: str) -> None:
        self.page.goto(address)
        self.page.locator("html[data-ready]").wait_for(state="attached", timeout=SECONDS)

    def add(self, files: Sequence[Any]) -> None:
        """Choose files, and wait until every one of the list is judged."""
        already = self.page.locator("#list > li").count()
        self.page.locator("#files").set_input_files(files)
        # what waits has a class; what is judged has not
        self.page.locator("#list > li:not(.waiting)").nth(already + len(files) - 1).wait_for(timeout=SECONDS)

    def cards(self) -> list[Any]:
        return self.page.locator("#list > li").all()


@contextmanager
def chromium(*arguments: str) -> Iterator[Any]:
    """Playwright's handle of Debian's Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *arguments])
        yield browser
        browser.close()


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """A plain web server of a folder, as anybody has one → its address."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(folder))

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
