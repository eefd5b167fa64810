"""Rank the photographs of a folder by quality and name the best one.

python examples/score_folder.py FOLDER
"""

import sys
from pathlib import Path

import fiqa


def main(folder: str) -> None:
    scorer = fiqa.Scorer()
    paths = sorted(p for p in Path(folder).iterdir() if p.suffix.lower() in {".jpg", ".jpeg", ".png"})
    found = [quality for quality in scorer.stream(paths) if quality.ok]
    for quality in sorted(found, key=lambda quality: -(quality.score or 0)):
        print(f"{quality.score:5.1f}  {quality.path}")


if __name__ == "__main__":
    main(sys.argv[1])
