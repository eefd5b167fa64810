"""The sightings of one person, one by one, in → the few that are worth matching out."""

from __future__ import annotations

import heapq
import itertools
import math
from dataclasses import dataclass, field

from ..errors import UsageError
from .tracks import Sighting

Rank = tuple[bool, bool, float, float, float]
_SATURATED = 98.0  # a score
_EDGE = 0.01  # of the frame's sides: a box nearer than that is cut off


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which sightings are shots.

    The best counts, since one picture is matched; a mean over time would hide the sharp frame between two
    blurred ones, and depend on how long somebody was seen. A lone peak may be a slip, so a neighbour must
    confirm it.

    Attributes:
        top: shots a person.
        apart: least seconds between two shots.
        confirm: least share of a shot's value that the sample before or after it must have.
        neighbour: most seconds to a sample that confirms.

    Raises:
        UsageError: a number is out of its range.
    """

    top: int = 3
    apart: float = 0.5
    confirm: float = 0.9
    neighbour: float = 1.0

    def __post_init__(self) -> None:
        if self.top < 1:
            raise UsageError(f"top must be at least 1, but got {self.top}")
        if not 0 <= self.confirm <= 1:
            raise UsageError(f"confirm must be from 0 to 1, but got {self.confirm}")
        for name in ("apart", "neighbour"):
            if not 0 <= getattr(self, name) < math.inf:
                raise UsageError(f"{name} must be a number of seconds, but got {getattr(self, name)}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidate:
    """A sighting with what decides between it and others.

    Attributes:
        confirmed: a neighbouring sample is nearly as good.
        inside: the face is not at the edge of its frame.
    """

    sighting: Sighting
    confirmed: bool
    inside: bool

    @property
    def rank(self) -> Rank:
        """Higher = better. Of scores that are equal to a point the larger face wins."""
        quality = self.sighting.quality
        assert quality.face is not None
        score = quality.score
        raw = quality.raw.get(quality.scored_by or "", 0.0)
        if score is None:
            level, fine = self.sighting.value, 0.0
        else:  # near 100 the scores of faces that differ still are the same: what is behind them tells
            level, fine = (round(score), 0.0) if score < _SATURATED else (_SATURATED, raw)
        return self.inside, self.confirmed, level, fine, quality.face.eye_distance

    @property
    def remark(self) -> str:
        """One sentence on what it lacks; empty if nothing."""
        if not self.inside:
            return "the face is at the edge of the frame in every sample"
        return "" if self.confirmed else "no neighbouring sample is nearly as good"


@dataclass(slots=True, eq=False)
class Candidates:
    """The best sightings of one track so far, no more than can still become shots.

    A shot keeps those within ``apart`` seconds of it from being shots, so of ``top`` shots and all they
    exclude none needs to be remembered beyond that many.

    Attributes:
        choice: what is wanted.
        room: how many are remembered.
    """

    choice: Choice
    room: int
    _heap: list[tuple[Rank, int, Candidate]] = field(default_factory=list, init=False)
    _last: Sighting | None = field(default=None, init=False)
    _last_confirmed: bool = field(default=False, init=False)
    _order: itertools.count[int] = field(default_factory=lambda: itertools.count(0, -1), init=False)

    def see(self, sighting: Sighting) -> None:
        """Take the next sighting of the track."""
        before = self._last
        near = before is not None and sighting.time - before.time <= self.choice.neighbour + 1e-6
        if before is not None:
            self._add(before, confirmed=self._last_confirmed or (near and self._confirms(sighting, before)))
        self._last = sighting
        self._last_confirmed = near and before is not None and self._confirms(before, sighting)

    def all(self) -> list[Candidate]:
        """The candidates, the best first; no more sightings will come."""
        if self._last is not None:
            self._add(self._last, confirmed=self._last_confirmed)
            self._last = None
        return [candidate for _, _, candidate in sorted(self._heap, key=lambda item: item[:2], reverse=True)]

    def _add(self, sighting: Sighting, *, confirmed: bool) -> None:
        candidate = Candidate(sighting=sighting, confirmed=confirmed, inside=is_inside(sighting))
        item = (candidate.rank, next(self._order), candidate)
        if len(self._heap) < self.room:
            heapq.heappush(self._heap, item)
        else:
            heapq.heappushpop(self._heap, item)

    def _confirms(self, one: Sighting, other: Sighting) -> bool:
        """Whether ``one`` is nearly as good as ``other``; raw values may be negative."""
        return one.value >= other.value - (1 - self.choice.confirm) * abs(other.value)


def is_inside(sighting: Sighting) -> bool:
    """Whether a face's box keeps off the edges of its frame."""
    assert sighting.quality.face is not None
    left, top, right, bottom = sighting.quality.face.box
    width, height = sighting.size
    margin = _EDGE * min(width, height)
    return left >= margin and top >= margin and right <= width - margin and bottom <= height - margin


def choose(candidates: list[Candidate], choice: Choice) -> list[Candidate]:
    """The shots among candidates of one person, the best first.

    Those that lack something are taken only where none is without fault.
    """
    ordered = sorted(candidates, key=lambda candidate: candidate.rank, reverse=True)
    if not ordered:
        return []
    fault = ordered[0].remark
    chosen: list[Candidate] = []
    for candidate in ordered:
        if candidate.remark != fault or len(chosen) == choice.top:
            break
        times = [other.sighting.time for other in chosen]
        if all(abs(candidate.sighting.time - time) >= choice.apart - 1e-6 for time in times):
            chosen.append(candidate)
    return chosen
