"""The page of ``fiqa serve``: private until it is told otherwise, and then what the server says."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.web.browser import ROOT, SECONDS, Visit, chromium, require_page

require_page()
pytest.importorskip("uvicorn")

from tools.page_golden import pictures  # noqa: E402

from fiqa import Scorer  # noqa: E402
from fiqa.serve import Keys, Settings, make_app  # noqa: E402
from fiqa.serve.keys import new_key  # noqa: E402

GOLDEN = json.loads((ROOT / "tests" / "fixtures" / "page.json").read_text(encoding="utf-8"))["judged"]
NAMES = ("grace_hopper.jpg", "grace_hopper motion 0.35.png", "astronaut dark 0.7.png")
pytestmark = pytest.mark.slow


@contextmanager
def running(settings: Settings) -> Iterator[str]:
    import uvicorn

    app = make_app(Scorer(engine="onnxruntime", threads=1, reasons=True), settings)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}/"
    server.should_exit = True
    thread.join()


def files() -> list[dict[str, Any]]:
    return [
        {"name": name, "mimeType": "image/png", "buffer": data} for name, data in pictures() if name in NAMES
    ]


def test_both_modes_say_the_same(tmp_path: Path) -> None:
    key, line = new_key()
    (tmp_path / "keys").write_text(line, encoding="utf-8")
    with running(Settings(keys=Keys(tmp_path / "keys"))) as address, chromium() as browser:
        context = browser.new_context(service_workers="block", locale="en-GB")
        visit = Visit(context.new_page())
        visit.watch()
        visit.open(address)
        visit.add(files())
        private = [card.inner_text() for card in visit.cards()]
        assert [url for method, url, _ in visit.requests if method != "GET"] == []
        visit.page.locator("#mode").select_option("server")
        assert visit.page.get_by_text("Server: your photos are sent").is_visible()
        visit.page.locator("#key").fill(key)
        visit.page.locator("#key").press("Enter")
        visit.page.locator("#list > li:not(.waiting)").nth(2).wait_for(timeout=SECONDS)
        assert [card.inner_text() for card in visit.cards()] == private
        sent = [url for method, url, _ in visit.requests if method == "POST"]
        assert sent == [f"{address}v1/score?reasons=true&maps=true"] * 3
        assert visit.page.locator("#list canvas").count() == 3
        scores = [int(text) for text in visit.page.locator(".score strong").all_inner_texts()]
        assert scores == sorted(round(GOLDEN[name]["score"]) for name in NAMES)
        assert visit.complaints == []
        # a wrong key: each photo says what the server said
        visit.page.locator("#key").fill("wrong")
        visit.page.locator("#key").press("Enter")
        visit.page.get_by_text("The server answered: this server wants a key").nth(2).wait_for(
            timeout=SECONDS
        )
        context.close()
