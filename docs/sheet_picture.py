"""Make the picture of ``fiqa sheet`` in docs/images, from the two public-domain portraits, degraded.

python docs/sheet_picture.py
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from screens import DESK, PHONE, shoot

from fiqa.degradations import DEGRADATIONS, degrade
from fiqa.examples import example_crops

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
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_photographs(folder / "photos")
        run(folder, "score", "photos", "--reasons", "-o", "scores.parquet", "--engine", "onnxruntime")
        run(folder, "sheet", "scores.parquet", "--at", "fnmr=5%", "--faces", "18", "-o", "sheet.html")
        shoot(folder / "sheet.html", "sheet", [(DESK, "light"), (PHONE, "dark")])
        if len(sys.argv) > 1:
            shutil.copytree(folder, sys.argv[1], dirs_exist_ok=True)


if __name__ == "__main__":
    main()
