"""Make the pictures of ``fiqa explain`` in docs/images, from the two public-domain portraits.

python docs/explain_picture.py
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from screens import DESK, PHONE, shoot

from fiqa.degradations import degrade, degrade_part
from fiqa.examples import example_crops


def main() -> None:
    first, second = example_crops()[:2]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        crops = {
            "as taken": first,
            "dark": degrade(first, "dark", 0.8, seed=1),
            "shadow": degrade_part(second, "dark", 0.9, seed=8)[0],
        }
        for title, crop in crops.items():
            Image.fromarray(crop).save(folder / f"{title}.png")
        command = [sys.executable, "-m", "fiqa", "explain", *(f"{title}.png" for title in crops)]
        command += ["-o", "out", "--contrast", "face"]
        subprocess.run([*command, "--engine", "onnxruntime"], cwd=folder, check=True)
        shoot(folder / "out" / "index.html", "explain", [(DESK, "light"), (PHONE, "dark")], most=1500)


if __name__ == "__main__":
    main()
