"""Make the picture of the report in docs/images, from nobody's photographs.

python docs/report_picture.py --recognizer FILE[:options]

Sixteen people who do not exist are made of the two public-domain portraits, by bending and blending them,
each in twelve more or less degraded crops. The numbers on the picture mean nothing; it shows how a report
looks.
"""

from __future__ import annotations

import argparse
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

N_PEOPLE, N_CROPS = 16, 12


def person(number: int) -> np.ndarray:
    """(112, 112, 3) uint8: both portraits bent by a smooth random field and blended."""
    rng = np.random.default_rng(number)
    share = (0.0, 1.0, 0.25, 0.75)[number % 4]
    first, second = (crop.astype(float) for crop in example_crops()[:2])
    blend = ((1 - share) * first + share * second).astype(np.uint8)
    field = [
        np.asarray(
            Image.fromarray(rng.normal(0, 7, (5, 5)).astype(np.float32)).resize(
                (112, 112), Image.Resampling.BICUBIC
            )
        )
        for _ in "yx"
    ]
    y, x = np.mgrid[:112, :112]
    rows = np.clip(np.rint(y + field[0]), 0, 111).astype(int)
    columns = np.clip(np.rint(x + field[1]), 0, 111).astype(int)
    tint = rng.uniform(0.75, 1.25, 3)
    return np.clip(blend[rows, columns] * tint, 0, 255).astype(np.uint8)


def make_people(folder: Path) -> None:
    """One sub-folder a person, each crop worse than the one before."""
    rng = np.random.default_rng(0)
    for number in range(N_PEOPLE):
        target = folder / f"nobody {number:02d}"
        target.mkdir(parents=True)
        for step in range(N_CROPS):
            crop = person(number)
            for kind in rng.choice(DEGRADATIONS, 2, replace=False):
                severity = (step / (N_CROPS - 1)) ** 2 * rng.uniform(0.2, 0.8)
                crop = degrade(crop, str(kind), float(severity), seed=int(rng.integers(1 << 30)))
            Image.fromarray(crop).save(target / f"{step:02d}.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recognizer", required=True)
    parser.add_argument("--keep", type=Path, help="folder for the faces and the report")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_people(folder / "people")
        command = [
            *(sys.executable, "-m", "fiqa", "evaluate", "-d", f"folder:nobody={folder / 'people'}"),
            *(
                "-r",
                options.recognizer,
                "-m",
                "vitnt",
                "-m",
                "attn",
                "-m",
                "exit-depth",
                "--rival",
                "sharpness",
            ),
            *("--fmr", "1e-2", "--fmr", "1e-3", "-o", str(folder / "out")),
        ]
        subprocess.run(command, check=True)
        shoot(folder / "out" / "report.html", "report", [(DESK, "light"), (PHONE, "dark")], most=2400)
        if options.keep:
            shutil.copytree(folder, options.keep, dirs_exist_ok=True)


if __name__ == "__main__":
    main()
