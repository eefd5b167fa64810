"""Pictures of the page in the browser for docs/page.md, from the two portraits that ship and from worse ones.

python docs/page_picture.py (needs the built page, Chromium and the dev extra)
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

from tests.web import videos  # noqa: E402
from tests.web.browser import SECONDS, Visit, chromium, served  # noqa: E402
from tools.page_golden import pictures  # noqa: E402

from fiqa import web  # noqa: E402

OUT = ROOT / "docs" / "images"
SHOWN = ("astronaut.jpg", "astronaut dark 0.7.png", "grace_hopper.jpg", "grace_hopper motion 0.35.png")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        video = videos.write(Path(folder) / "camera.mjpeg", [("good", 0.4), ("aside", 0.4)] * 60)
        arguments = ("--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={video}")
        with served(web.write(Path(folder) / "site")) as address, chromium(*arguments) as browser:
            for scheme in ("light", "dark"):
                context = browser.new_context(
                    color_scheme=scheme, locale="en-GB", service_workers="block", permissions=["camera"]
                )
                shoot(Visit(context.new_page()), address, scheme)
                context.close()


def shoot(visit: Visit, address: str, scheme: str) -> None:
    """The list at two widths, and the camera at the narrow one."""
    page = visit.page
    page.set_viewport_size({"width": 1280, "height": 860})
    visit.open(address)
    named = {name: data for name, data in pictures() if name in SHOWN}
    visit.add([{"name": name, "mimeType": "image/png", "buffer": named[name]} for name in SHOWN])
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 860})
        page.locator("button.face").first.focus()
        page.keyboard.press("Tab")
        page.keyboard.press("Shift+Tab")  # the map of the worst is shown: the focus came by keyboard
        save(page.screenshot(full_page=True), f"page-{width}-{scheme}.webp")
    page.locator("#open-camera").click()
    page.locator("#oval.good").wait_for(timeout=SECONDS)
    page.get_by_text("Hold still …").wait_for(timeout=SECONDS)
    save(page.screenshot(), f"page-camera-{scheme}.webp")
    page.locator("#close-camera").click()


def save(png: Any, name: str) -> None:
    """A picture of the page as WebP."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    picture.save(OUT / name, quality=82, method=6)


if __name__ == "__main__":
    main()
