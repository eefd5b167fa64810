"""Two portraits in the public domain that ship with fiqa; the README beside them says whose they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..types import ImageArray

_FOLDER = Path(__file__).parent


def example_paths() -> list[Path]:
    """The two portraits, as files: an astronaut (Eileen Collins) and Grace Hopper.

    >>> [path.name for path in example_paths()]
    ['astronaut.jpg', 'grace_hopper.jpg']
    """
    return sorted(_FOLDER.glob("*.jpg"))


def example_landmarks() -> Path:
    """The table of the portraits' landmarks, for those who have no detector."""
    return _FOLDER / "landmarks.csv"


def example_crops() -> ImageArray:
    """The two portraits, aligned by stored landmarks: uint8 (2, 112, 112, 3) RGB. Needs no detector.

    >>> example_crops().shape
    (2, 112, 112, 3)
    """
    from ..faces.alignment import align
    from ..faces.sources import LandmarksCsv
    from ..images.reader import load

    table = LandmarksCsv(example_landmarks())
    photos = {str(path): load(path) for path in example_paths()}
    return np.stack([align(photo, table.faces(photo, path)[0].landmarks) for path, photo in photos.items()])
