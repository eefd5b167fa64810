"""Make the picture of ``fiqa sheet`` in docs/images, from the two public-domain portraits, degraded.

python docs/sheet_picture.py

Needs: pip install playwright, and Chromium.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from fiqa.degradations import DEGRADATIONS, degrade
from fiqa.examples import example_crops

IMAGES = Path(__file__).parent / "images"
PEOPLE = ("astronaut", "grace hopper")
N_SEVERITIES = 6


def make_photographs(folder: Path) -> None:
    """A folder a person: the portrait as taken, and worse by every kind of degradation, step by step."""
    for person, crop in zip(PEOPLE, example_crops(), strict=True):
        target = folder / person
        target.mkdir(parents=True)
        Image.fromarray(crop).save(target / "as taken.png")
        for kind in DEGRADATIONS:
            for step, severity in enumerate(np.linspace(0.15, 0.9, N_SEVERITIES)):
                worse = degrade(crop, str(kind), float(severity), seed=step)
                Image.fromarray(worse).save(target / f"{kind} {severity:.2f}.png")
    (folder / PEOPLE[0] / "cut short.jpg").write_bytes(b"\xff\xd8")


def run(folder: Path, *arguments: str) -> None:
    """Run fiqa in a folder, whatever it says of the file that is no image."""
    done = subprocess.run([sys.executable, "-m", "fiqa", *arguments], cwd=folder, check=False)
    if done.returncode not in (0, 3):
        raise SystemExit(done.returncode)


def main() -> None:
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_photographs(folder / "photos")
        run(folder, "score", "photos", "--reasons", "-o", "scores.parquet", "--engine", "onnxruntime")
        run(folder, "sheet", "scores.parquet", "--at", "fnmr=5%", "--faces", "18", "-o", "sheet.html")
        chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
        with sync_playwright() as play:
            browser = play.chromium.launch(executable_path=chromium, args=["--headless", "--no-sandbox"])
            for width, scheme in ((1280, "light"), (390, "dark")):
                page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
                page.goto((folder / "sheet.html").as_uri())
                height = min(2000, page.evaluate("document.documentElement.scrollHeight"))
                clip = {"x": 0, "y": 0, "width": width, "height": height}
                page.screenshot(path=folder / "shot.png", full_page=True, clip=clip)
                with Image.open(folder / "shot.png") as shot:
                    flat = shot.convert("RGB").quantize(256, dither=Image.Dither.NONE)
                    flat.save(IMAGES / f"sheet-{width}.png", optimize=True)
            browser.close()
        if len(sys.argv) > 1:
            shutil.copytree(folder, sys.argv[1], dirs_exist_ok=True)


if __name__ == "__main__":
    main()
