"""The pictures of docs/video.md: a video of the two portraits in → its contact sheet out."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.scenes import Scene, write_video
from screens import DESK, PHONE, shoot

from fiqa import Scorer
from fiqa.video import best_shots
from fiqa.video.album import Album

SEED = 22  # of a scene in which two cross


def main() -> None:
    scene, scorer = Scene.make(SEED, size=(960, 540)), Scorer(embedding=True)
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "scene.mp4"
        write_video(video, scene.frames(25), rate=25)
        with Album(Path(folder) / "best", scorer.specs) as album:
            for person in best_shots(video, scorer):
                album.add(person)
        shoot(Path(folder) / "best" / "sheet.html", "best", [(DESK, "light"), (PHONE, "dark")], most=1200)


if __name__ == "__main__":
    main()
