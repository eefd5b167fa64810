"""The faces of one sample after another in → tracks, each of one person as long as it is seen, out."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..types import FloatArray, Quality

_STEADY = 0.5  # of the velocity that is kept when a new one is seen
_LOST = 5.0  # seconds for which a place still tells who may have come back
_STALE = 0.2  # of affinity that a track loses for each second that it is not seen
_FAR = 3.0  # face widths that a face may have moved beside where it was expected, if it is known again
_SIZES = 2.0  # by which factor it may have grown or shrunk then


@dataclass(frozen=True, slots=True, kw_only=True)
class Follow:
    """How faces are followed.

    Attributes:
        overlap: least overlap (intersection over union) of a face with where the track expects it.
        unseen: seconds after which a track that is not seen ends.
        stitch: seconds after which a person who is not seen is not waited for any more.
        same: least cosine of two embeddings of one person, where nothing else says that they are.
        other: cosine below which two faces are not one person's, wherever they stand.
        trusted: least score, from 0 to 100, of a face whose embedding is believed.

    Raises:
        UsageError: a number is out of its range.
    """

    overlap: float = 0.2
    unseen: float = 1.0
    stitch: float = 30.0
    same: float = 0.45
    other: float = 0.2
    trusted: float = 30.0

    def __post_init__(self) -> None:
        for name, low, high in (
            *((name, 0.0, np.inf) for name in ("unseen", "stitch")),
            *((name, -1.0, 1.0) for name in ("same", "other")),
            *(("overlap", 0.0, 1.0), ("trusted", 0.0, 100.0)),
        ):
            if not low <= getattr(self, name) <= high:
                raise UsageError(f"{name} must be from {low:g} to {high:g}, but got {getattr(self, name)}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sighting:
    """One face in one sample.

    Attributes:
        frame: number of its frame.
        time: in seconds.
        name: of the frame's file, in a folder.
        size: (width, height) of the frame.
        quality: of the face: ``ok``, with its face and its crop.
        value: what shots are chosen by, higher = better: the score, or where there is none the raw value.
    """

    frame: int
    time: float
    name: str
    size: tuple[int, int]
    quality: Quality
    value: float

    @property
    def place(self) -> NDArray[np.float64]:
        """(4,): centre x and y, width and height of the box."""
        assert self.quality.face is not None
        left, top, right, bottom = self.quality.face.box
        return np.array([(left + right) / 2, (top + bottom) / 2, right - left, bottom - top])


Seen = Callable[[int, Sighting], None]
"""Told the number of the track and the sighting, of each face of each sample."""


@dataclass(slots=True, kw_only=True, eq=False)
class Track:
    """One face, followed.

    Attributes:
        number: counted from 1 over the whole video.
        first, last: the seconds when it was first and last seen.
        place, began: (4,) where it was last and first seen: centre x and y, width and height.
        velocity: (4,) of its place, a second.
        n_seen: samples in which it was seen.
        n_trusted: of these, those whose embedding is believed.
        placed: whether it may be where it was expected: false after a cut, until it is seen again.
        embedding: (E,) the sum of the unit embeddings, weighted by the scores; None if there is none.
    """

    number: int
    first: float
    last: float
    place: NDArray[np.float64]
    began: NDArray[np.float64]
    velocity: NDArray[np.float64] = field(default_factory=lambda: np.zeros(4))
    n_seen: int = 0
    n_trusted: int = 0
    placed: bool = True
    embedding: FloatArray | None = None

    def expected(self, time: float) -> NDArray[np.float64]:
        """Where it should be at ``time``, at a constant velocity."""
        place = self.place + self.velocity * (time - self.last)
        place[2:] = np.clip(place[2:], self.place[2:] / _SIZES, self.place[2:] * _SIZES)
        return place

    def leads_to(self, later: Track) -> bool:
        """Whether a track that began after this one was lost began where this one would have been."""
        if not 0 < later.first - self.last <= _LOST:
            return False
        expected, begin = self.expected(later.first), later.began
        return bool(
            np.abs(begin[:2] - expected[:2]).max() <= max(begin[2], expected[2])
            and 1 / _SIZES <= begin[2] / max(expected[2], 1e-6) <= _SIZES
        )

    def see(self, sighting: Sighting, trusted: float) -> None:
        """Take a sighting for this track's."""
        passed = sighting.time - self.last
        if self.n_seen and passed > 0:
            seen = (sighting.place - self.place) / passed
            self.velocity = seen if self.n_seen == 1 else _STEADY * self.velocity + (1 - _STEADY) * seen
        self.place, self.last, self.placed = sighting.place, sighting.time, True
        self.n_seen += 1
        unit = unit_embedding(sighting.quality)
        if unit is not None:
            weight = max(sighting.value, 1.0) if sighting.quality.score is not None else 1.0
            self.embedding = weight * unit + (0 if self.embedding is None else self.embedding)
            self.n_trusted += _is_trusted(sighting, trusted)

    def likeness(self, unit: FloatArray | None) -> float | None:
        """Cosine of its mean embedding and another; None where either is missing."""
        if unit is None or self.embedding is None:
            return None
        return float(unit @ self.embedding / np.linalg.norm(self.embedding))


class Follower:
    """Follows all faces of a video: sample by sample in, which track each face belongs to out.

    Greedy: the likeliest pair of a track and a face first. Position and size say it where the face overlaps
    the place that a constant velocity leads to, and its embedding, if it is trusted, may object; where it
    does not overlap, or after a cut, the embedding alone must say it.
    """

    def __init__(self, follow: Follow) -> None:
        self.follow = follow
        self.live: list[Track] = []
        self._numbers = itertools.count(1)

    def update(self, sightings: Sequence[Sighting], *, jump: bool) -> list[Track]:
        """The track of each sighting of one sample, in their order."""
        for track in self.live:
            track.placed = track.placed and not jump
        found: dict[int, Track] = {}
        taken: set[int] = set()
        for _, i, track in sorted(self._pairs(sightings), key=lambda pair: -pair[0]):
            if i not in found and track.number not in taken:
                found[i] = track
                taken.add(track.number)
        out = []
        for i, sighting in enumerate(sightings):
            track = found.get(i) or self._begin(sighting)
            track.see(sighting, self.follow.trusted)
            out.append(track)
        return out

    def ended(self, time: float) -> list[Track]:
        """The tracks that are not waited for any more at ``time``; they are live no longer."""
        over = [track for track in self.live if time - track.last > self.follow.unseen + 1e-6]
        self.live = [track for track in self.live if track not in over]
        return over

    def _begin(self, sighting: Sighting) -> Track:
        track = Track(
            number=next(self._numbers),
            first=sighting.time,
            last=sighting.time,
            place=sighting.place,
            began=sighting.place,
        )
        self.live.append(track)
        return track

    def _pairs(self, sightings: Sequence[Sighting]) -> Iterator[tuple[float, int, Track]]:
        for i, sighting in enumerate(sightings):
            unit = unit_embedding(sighting.quality)
            trusted = _is_trusted(sighting, self.follow.trusted)
            for track in self.live:
                likeness = track.likeness(unit) if trusted and track.n_trusted else None
                affinity = self._affinity(track, sighting, likeness)
                if affinity is not None:
                    yield affinity, i, track

    def _affinity(self, track: Track, sighting: Sighting, likeness: float | None) -> float | None:
        """How likely it is that a face is the track's, for comparison only; None: it is not."""
        if likeness is not None and likeness < self.follow.other:
            return None
        expected, place = track.expected(sighting.time), sighting.place
        shared = overlap(expected, place)
        unseen = sighting.time - track.last
        if track.placed and shared >= self.follow.overlap:
            return shared + (likeness or 0.0) - _STALE * unseen
        if likeness is None or likeness < self.follow.same:
            return None
        near = np.abs(place[:2] - expected[:2]).max() <= _FAR * max(expected[2], place[2])
        sized = 1 / _SIZES <= place[2] / max(expected[2], 1e-6) <= _SIZES
        return likeness - _STALE * unseen if not track.placed or (near and sized) else None


def overlap(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Intersection over union, in [0, 1], of two boxes (centre x, centre y, width, height)."""
    low = np.maximum(one[:2] - one[2:] / 2, other[:2] - other[2:] / 2)
    high = np.minimum(one[:2] + one[2:] / 2, other[:2] + other[2:] / 2)
    shared = float(np.prod(np.maximum(high - low, 0)))
    both = float(np.prod(one[2:]) + np.prod(other[2:])) - shared
    return shared / both if both > 0 else 0.0


def unit_embedding(quality: Quality) -> FloatArray | None:
    """The embedding (E,) of length 1; None where there is none."""
    vector = quality.embedding
    length = 0.0 if vector is None else float(np.linalg.norm(vector))
    return None if vector is None or length == 0 else vector / np.float32(length)


def _is_trusted(sighting: Sighting, trusted: float) -> bool:
    return sighting.quality.score is None or sighting.quality.score >= trusted
