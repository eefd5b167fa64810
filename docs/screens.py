"""A page in → pictures of it in docs/images, as Chromium shows it on a desk and on a phone.

Needs: pip install playwright, and Chromium.
"""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

IMAGES = Path(__file__).parent / "images"
DESK, PHONE = 1280, 390  # pixels across


def shoot(page: Path, name: str, screens: Sequence[tuple[int, str]], *, most: int = 2000) -> None:
    """Write ``name-WIDTH.webp`` for each (width, light or dark), its first ``most`` pixels from the top."""
    from playwright.sync_api import sync_playwright

    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--headless", "--no-sandbox"])
        for width, scheme in screens:
            view = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
            view.goto(page.as_uri())
            view.evaluate("document.querySelectorAll('img').forEach(i => i.loading = 'eager')")
            view.wait_for_function("[...document.images].every(i => i.complete)")
            height = min(most, view.evaluate("Math.ceil(document.querySelector('main').offsetHeight)"))
            clip = {"x": 0, "y": 0, "width": width, "height": height}
            with Image.open(io.BytesIO(view.screenshot(full_page=True, clip=clip))) as shot:
                shot.convert("RGB").save(IMAGES / f"{name}-{width}.webp", quality=60, method=6)
        browser.close()
