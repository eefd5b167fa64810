"""What comes out: a shot, a person with the best shots, and the samples that both are made from."""

from __future__ import annotations

from dataclasses import dataclass

from ..types import FloatArray, Quality
from .tracks import Sighting


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One picture with the faces that were scored in it.

    Attributes:
        time: in seconds.
        jump: as of :class:`fiqa.video.Frame`.
        sightings: the faces.
    """

    time: float
    jump: bool
    sightings: list[Sighting]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shot:
    """One picture of a person that is worth matching.

    Attributes:
        person: number of the person, from 1.
        rank: 1 for the best shot of the person.
        frame: number of the frame, or of the picture in a folder.
        time: seconds from the start.
        name: of the picture, in a folder.
        quality: the face's, with its crop.
        remark: what it lacks; empty if nothing.
    """

    person: int
    rank: int
    frame: int
    time: float
    name: str
    quality: Quality
    remark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Best:
    """A person, with the best shots.

    Attributes:
        person: number, from 1, in the order in which persons are given.
        tracks: the tracks that were joined to this person.
        first, last: seconds when the person was first and last seen.
        n_seen: samples in which the person was seen.
        shots: the best first.
        embedding: (E,) float32 of length 1, the mean of all sightings weighted by their scores; None where
            the model or the scorer gives none.
    """

    person: int
    tracks: tuple[int, ...]
    first: float
    last: float
    n_seen: int
    shots: tuple[Shot, ...]
    embedding: FloatArray | None = None


def shot_of(person: int, rank: int, sighting: Sighting, remark: str) -> Shot:
    """A sighting as a shot."""
    return Shot(
        person=person,
        rank=rank,
        frame=sighting.frame,
        time=sighting.time,
        name=sighting.name,
        quality=sighting.quality,
        remark=remark,
    )
