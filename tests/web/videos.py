"""Videos that a camera might give, of a portrait that ships: MJPEG, which Chromium plays as a camera."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from fiqa.examples import example_paths
from fiqa.types import ImageArray

WIDTH, HEIGHT = 640, 480
RATE = 30  # frames a second, which Chromium takes for granted
SCENES = ("nobody", "dark", "turned", "blurred", "good")


def scene(name: str) -> ImageArray:
    """(480, 640, 3) uint8 RGB: a portrait with its face in the middle, or a little ``aside``, or nobody."""
    if name == "nobody":
        return np.tile(np.linspace(90, 160, WIDTH, dtype=np.uint8)[None, :, None], (HEIGHT, 1, 3))
    portrait = Image.open(example_paths()[0]).convert("RGB")
    # the face of this portrait has its middle at (224, 113) and is about 115 pixels high
    middle, zoom = (224, 113), 1.5
    box = (
        middle[0] - WIDTH / 2 / zoom,
        middle[1] - HEIGHT / 2 / zoom,
        middle[0] + WIDTH / 2 / zoom,
        middle[1] + HEIGHT / 2 / zoom,
    )
    padded = Image.fromarray(np.pad(np.asarray(portrait), ((300, 300), (300, 300), (0, 0)), mode="edge"))
    frame = padded.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC, [edge + 300 for edge in box])
    pixels = np.asarray(frame)
    if name == "aside":
        return np.roll(pixels, 20, axis=1)
    if name == "dark":
        return (pixels * 0.16).astype(np.uint8)
    if name == "blurred":
        return np.asarray(frame.filter(ImageFilter.GaussianBlur(9)))
    return turned(pixels) if name == "turned" else pixels


def turned(pixels: ImageArray) -> ImageArray:
    """The face as if its head were turned: what stands out, the nose most, moves aside; one cheek shrinks."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    middle_x, middle_y = WIDTH / 2, HEIGHT / 2
    head = np.exp(-(((x - middle_x) / 95) ** 2 + ((y - middle_y) / 110) ** 2))
    nose = np.exp(-(((x - middle_x) / 50) ** 2 + ((y - middle_y - 12) / 40) ** 2))
    from_x = x - 30 * head - 60 * nose
    from_x = np.where(from_x > middle_x, middle_x + (from_x - middle_x) / 0.8, from_x)
    return pixels[y, np.clip(np.rint(from_x), 0, WIDTH - 1).astype(int)]


def write(path: Path, scenes: Sequence[tuple[str, float]]) -> Path:
    """Scenes, each with its seconds, one after the other as a video in ``path``: MJPEG is JPEG after JPEG."""
    with path.open("wb") as video:
        for name, seconds in scenes:
            file = io.BytesIO()
            Image.fromarray(scene(name)).save(file, "jpeg", quality=92)
            video.write(file.getvalue() * round(seconds * RATE))
    return path
