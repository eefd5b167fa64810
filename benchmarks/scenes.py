"""Videos of which the truth is known: the two example portraits move, and are degraded by a known severity.

Everything is deterministic in the seed; only what the library ships is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np
from benchmarks.turned import head_and_shoulders
from PIL import Image

from fiqa.degradations import degrade
from fiqa.examples import example_paths
from fiqa.faces import face_around
from fiqa.types import FloatArray, ImageArray

KINDS = ("blur", "dark", "occlusion")
N_KNOTS = 4  # of the severity over a scene
Plot = Literal["one", "crossing", "cut"]
PLOTS: tuple[Plot, ...] = ("one", "crossing", "cut")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Actor:
    """One portrait on its way through a scene.

    Attributes:
        portrait: which of the two.
        start, end: seconds between which it is in the picture.
        centre: (2, 2) where its face is at both ends, as shares of width and height.
        side: (2,) length of its face at both ends, as shares of the height.
        kind: how it is degraded.
        severity: (n,) knots over its time, each in [0, 1].
    """

    portrait: int
    start: float
    end: float
    centre: FloatArray
    side: FloatArray
    kind: str
    severity: FloatArray

    def at(self, time: float) -> tuple[FloatArray, float, float] | None:
        """Centre and side of the face, as shares, and its severity; None where it is not in the picture."""
        if not self.start <= time < self.end:
            return None
        share = (time - self.start) / (self.end - self.start)
        centre = self.centre[0] * (1 - share) + self.centre[1] * share
        side = float(self.side[0] * (1 - share) + self.side[1] * share)
        knots = np.linspace(0, 1, len(self.severity))
        return centre, side, float(np.interp(share, knots, self.severity))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """A generated video.

    Attributes:
        size: (width, height).
        seconds: its length.
        actors: who is in it.
        seed: of background and degradations.
    """

    size: tuple[int, int]
    seconds: float
    actors: tuple[Actor, ...]
    seed: int

    @classmethod
    def make(cls, seed: int, *, size: tuple[int, int] = (1280, 720), seconds: float = 8.0) -> Scene:
        """A scene by seed: one person, two who cross, or two between whom the picture cuts."""
        rng = np.random.default_rng(seed)
        plot = PLOTS[seed % len(PLOTS)]
        first = int(rng.integers(2))
        severity = [rng.uniform(0, 1, N_KNOTS).astype(np.float32) for _ in range(2)]
        kinds = rng.choice(KINDS, 2)
        high, side = rng.uniform(0.42, 0.55, 2), np.sort(rng.uniform(0.22, 0.34, (2, 2)))
        left, right = np.array([0.2, high[0]]), np.array([0.8, high[1]])
        spans = [(0.0, seconds), (0.0, seconds)]
        ways = [np.stack([left, right]), np.stack([right, left])]
        if plot == "cut":
            spans = [(0.0, seconds / 2), (seconds / 2, seconds)]
            ways = [np.stack([left, (left + right) / 2]), np.stack([(left + right) / 2, right])]
        actors = tuple(
            Actor(
                portrait=(first + i) % 2, start=spans[i][0], end=spans[i][1],
                centre=ways[i].astype(np.float32), side=side[i].astype(np.float32),
                kind=str(kinds[i]), severity=severity[i],
            )
            for i in range(1 if plot == "one" else 2)
        )  # fmt: skip
        return cls(size=size, seconds=seconds, actors=actors, seed=seed)

    def frame(self, time: float) -> ImageArray:
        """(H, W, 3) uint8 RGB at ``time``; a later actor stands before an earlier one."""
        picture = Image.fromarray(self._background(time))
        for number, actor in enumerate(self.actors):
            place = actor.at(time)
            if place is not None:
                self._paste(picture, actor, place, number)
        return np.asarray(picture)

    def frames(self, rate: float) -> Iterator[tuple[float, ImageArray]]:
        """(seconds, picture), ``rate`` of them a second."""
        for i in range(round(self.seconds * rate)):
            yield i / rate, self.frame(i / rate)

    def _background(self, time: float) -> ImageArray:
        cut = sum(actor.end <= time for actor in self.actors)  # another room after a cut
        rng = np.random.default_rng([self.seed, cut])
        coarse = rng.integers(30 + 90 * (cut % 2), 120 + 90 * (cut % 2), (9, 16, 3), dtype=np.uint8)
        return np.asarray(Image.fromarray(coarse).resize(self.size, Image.Resampling.BICUBIC))

    def _paste(
        self, picture: Image.Image, actor: Actor, place: tuple[FloatArray, float, float], number: int
    ) -> None:
        centre, side, severity = place
        pixels, landmarks = head_and_shoulders(str(example_paths()[actor.portrait]))
        left, top, right, bottom = face_around(landmarks).box
        scale = side * self.size[1] / max(right - left, bottom - top)
        size = (round(pixels.shape[1] * scale), round(pixels.shape[0] * scale))
        small = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0))
        spoilt = degrade(small, actor.kind, severity, seed=self.seed + number)
        corner = centre * self.size - np.array([left + right, top + bottom]) / 2 * scale
        picture.paste(Image.fromarray(spoilt), (round(float(corner[0])), round(float(corner[1]))))


def write_video(
    path: Path, frames: Iterator[tuple[float, ImageArray]], *, rate: int, rotation: int = 0
) -> None:
    """Write pictures as H.264; ``rotation`` is what a player has to turn them by, in degrees."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"preset": "ultrafast", "crf": "18"})
        stream.pix_fmt = "yuv420p"
        for i, (time, pixels) in enumerate(frames):
            if i == 0:
                stream.height, stream.width = pixels.shape[:2]
                stream.codec_context.time_base = Fraction(1, 1000)
                if rotation:
                    stream.set_display_rotation(rotation)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            frame.pts, frame.time_base = round(time * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
