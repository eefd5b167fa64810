"""A video and what was seen in it in → the same video with a box and a number on every face out."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..errors import require
from ..pages.palette import COLOURS
from .frames import read_frames
from .tracks import Sighting

_TICKS = 1000  # a second


class Mark(NamedTuple):
    """What is drawn of a face: its track, its box (left, top, right, bottom) and its value."""

    track: int
    box: tuple[float, float, float, float]
    value: float


class Marks:
    """What was seen, frame by frame: some 200 bytes a face; give :meth:`see` to ``best_shots``."""

    def __init__(self) -> None:
        self.by_frame: defaultdict[int, list[Mark]] = defaultdict(list)

    def see(self, track: int, sighting: Sighting) -> None:
        """Remember one face."""
        assert sighting.quality.face is not None
        self.by_frame[sighting.frame].append(Mark(track, sighting.quality.face.box, sighting.value))


def write_overlay(
    path: str | os.PathLike[str],
    source: str,
    marks: Marks,
    persons: Mapping[int, int],
    *,
    fps: float,
) -> None:
    """Read the samples of ``source`` once more and write them as H.264, annotated.

    Args:
        path: of the video, .mp4; a kill leaves none of that name.
        source: the video file or folder.
        marks: what was seen.
        persons: track → the person's number; faces of other tracks are drawn without one.
        fps: samples a second, as they were taken.

    Raises:
        MissingExtra: PyAV is not installed.
    """
    av = require("av", "video", "writing a video")
    temporary = Path(f"{os.fspath(path)}.part")
    with av.open(str(temporary), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=max(1, round(fps)), options={"crf": "23"})
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, _TICKS)
        size: tuple[int, int] | None = None
        for frame in read_frames(source, fps=fps):
            if frame.pixels is None:
                continue
            picture = annotate(Image.fromarray(frame.pixels), marks.by_frame[frame.number], persons)
            if size is None:
                size = (
                    max(2, picture.width // 2 * 2),
                    max(2, picture.height // 2 * 2),
                )  # yuv420p halves both
                stream.width, stream.height = size
            pixels = np.asarray(picture if picture.size == size else picture.resize(size))
            image = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            image.pts, image.time_base = round(frame.time * _TICKS), Fraction(1, _TICKS)
            container.mux(stream.encode(image))
        if size is not None:
            container.mux(stream.encode(None))
    temporary.replace(path)


def annotate(picture: Image.Image, marks: Sequence[Mark], persons: Mapping[int, int]) -> Image.Image:
    """A box around every face, from blue (low) to orange (high), with the person's number and the score."""
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(max(12, picture.height // 36))
    for mark in marks:
        level = COLOURS[int(np.clip(mark.value, 0, 100) / 100 * 255)]
        colour = (int(level[0]), int(level[1]), int(level[2]))
        draw.rectangle(mark.box, outline=colour, width=max(2, picture.height // 240))
        number = persons.get(mark.track)
        text = f"{mark.value:.0f}" if number is None else f"person {number}: {mark.value:.0f}"
        left, top = mark.box[0], max(0.0, mark.box[1] - font.size - 6)  # type: ignore[union-attr]
        draw.rectangle(draw.textbbox((left, top), text, font=font), fill=(25, 25, 25))
        draw.text((left, top), text, fill=(255, 255, 255), font=font)
    return picture
