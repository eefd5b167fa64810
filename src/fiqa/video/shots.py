"""The way from a video to the best shots of each person: samples → faces → tracks → persons → shots."""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from ..errors import UsageError
from ..types import FloatArray, Quality
from .choice import Candidate, Candidates, Choice, choose
from .frames import Frame, check_rate, read_frames
from .tracks import Follow, Follower, Sighting, Track

if TYPE_CHECKING:
    import os

    from ..scorer import Scorer

Mode = Literal["best", "quick"]
Seen = Callable[[int, Sighting], None]


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


def best_shots(
    source: str | os.PathLike[str] | Iterable[Any],
    scorer: Scorer | None = None,
    *,
    fps: float = 5.0,
    mode: Mode = "best",
    gate: float | None = None,
    interval: float = 2.0,
    choice: Choice | None = None,
    follow: Follow | None = None,
    batch_size: int = 8,
    seen: Seen | None = None,
    sampled: Callable[[Frame], None] | None = None,
) -> Iterator[Best]:
    """The best shots of each person in a video; a stream of any length runs in bounded memory.

    Args:
        source: what :func:`fiqa.video.read_frames` takes.
        scorer: what scores; with ``embedding=True`` it also tells people apart. None: the default model,
            with embedding.
        fps: samples a second.
        mode: ``best``: a person comes when not seen for ``follow.stitch`` seconds, or at the end. ``quick``:
            a track comes with its first shot from the gate up, and until then with the best of every
            interval; tracks are not joined to persons.
        gate: least score of a shot that ends the search in ``quick``.
        interval: seconds, in ``quick``.
        choice: which sightings are shots.
        follow: how faces are followed.
        batch_size: faces a forward pass; results wait for a batch to be full.
        seen: called with the number of the track for each face of each sample.
        sampled: called with every sample before its faces are looked for.

    Raises:
        UsageError: a setting is out of its range.
        DataError: the source can't be read, or holds no video.
        MissingExtra: PyAV or the detector is needed and not installed.
    """
    from ..scorer import Scorer

    if mode not in get_args(Mode):
        raise UsageError(f"mode must be one of {', '.join(get_args(Mode))}, but got {mode!r}")
    if mode == "quick" and gate is None:
        raise UsageError("mode 'quick' needs a gate, the least score that is good enough")
    if not (math.isfinite(interval) and interval > 0):
        raise UsageError(f"interval must be a number of seconds, but got {interval}")
    check_rate(fps)
    scorer = scorer or Scorer(embedding=True)
    frames = read_frames(source, fps=fps, limits=scorer.limits)
    samples = _sightings(frames, scorer, batch_size, sampled or (lambda frame: None))
    choice, follow = choice or Choice(), follow or Follow()
    if mode == "quick":
        assert gate is not None
        return hurry(samples, Follower(follow), gate, interval, seen)
    room = choice.top * (2 * math.ceil(choice.apart * fps) + 1)
    return gather(samples, Follower(follow), choice, room, seen)


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


def _sightings(
    frames: Iterable[Frame], scorer: Scorer, batch_size: int, sampled: Callable[[Frame], None]
) -> Iterator[Sample]:
    """Every sample with the faces that were scored in it."""
    waiting: deque[tuple[Frame, tuple[int, int]]] = deque()

    def pixels() -> Iterator[Any]:
        for frame in frames:
            sampled(frame)
            if frame.pixels is not None:
                height, width = frame.pixels.shape[:2]
                waiting.append((replace(frame, pixels=None), (width, height)))
                yield frame.pixels

    found: list[Quality] = []
    for quality in scorer.stream(pixels(), batch_size, all_faces=True, keep=("crop",)):
        if quality.face_index == 0 and found:
            yield _sample(*waiting.popleft(), found)
            found = []
        found.append(quality)
    if found:
        yield _sample(*waiting.popleft(), found)


def _sample(frame: Frame, size: tuple[int, int], found: list[Quality]) -> Sample:
    sightings = [
        Sighting(
            frame=frame.number, time=frame.time, name=frame.name, size=size, quality=quality, value=value
        )
        for quality in found
        if quality.face is not None and (value := _value(quality)) is not None
    ]
    return Sample(time=frame.time, jump=frame.jump, sightings=sightings)


def _value(quality: Quality) -> float | None:
    """What shots are chosen by: the score, or the first method's raw value where nothing is calibrated."""
    if not quality.ok:
        return None
    return quality.score if quality.score is not None else next(iter(quality.raw.values()), None)


# ------------------------------------------------------------ when a track has ended


@dataclass(slots=True, eq=False)
class _Person:
    """Tracks that are of one person, as far as is known."""

    tracks: list[Track]
    candidates: list[Candidate]

    @property
    def last(self) -> float:
        return max(track.last for track in self.tracks)

    @property
    def embedding(self) -> FloatArray | None:
        known = [track.embedding for track in self.tracks if track.embedding is not None]
        if not known:
            return None
        total = np.sum(known, axis=0)
        return np.asarray(total / np.linalg.norm(total), dtype=np.float32)

    def may_be(self, track: Track, same: float) -> float | None:
        """Cosine with a track that may be of the same person; None: it is not.

        Where a face was too poor for its embedding to be believed, its place tells, for a few seconds.
        """
        if any(track.first <= own.last and own.first <= track.last for own in self.tracks):
            return None
        likeness = track.likeness(self.embedding)
        if likeness is not None and track.n_trusted and any(own.n_trusted for own in self.tracks):
            return likeness if likeness >= same else None
        latest = max(self.tracks, key=lambda own: own.last)
        return 0.0 if latest.leads_to(track) else None

    def best(self, number: int, choice: Choice) -> Best:
        shots = tuple(
            _shot(number, rank, candidate.sighting, candidate.remark)
            for rank, candidate in enumerate(choose(self.candidates, choice), 1)
        )
        return Best(
            person=number,
            tracks=tuple(sorted(track.number for track in self.tracks)),
            first=min(track.first for track in self.tracks),
            last=self.last,
            n_seen=sum(track.n_seen for track in self.tracks),
            shots=shots,
            embedding=self.embedding,
        )


def _shot(person: int, rank: int, sighting: Sighting, remark: str) -> Shot:
    return Shot(
        person=person,
        rank=rank,
        frame=sighting.frame,
        time=sighting.time,
        name=sighting.name,
        quality=sighting.quality,
        remark=remark,
    )


@dataclass(slots=True, eq=False)
class _Persons:
    """Those who were seen and may come back."""

    follow: Follow
    room: int
    waiting: list[_Person] = field(default_factory=list)

    def take(self, track: Track, candidates: list[Candidate]) -> None:
        """Join an ended track to the person it is likeliest of, or to nobody."""
        alike = [
            (likeness, i)
            for i, person in enumerate(self.waiting)
            if (likeness := person.may_be(track, self.follow.same)) is not None
        ]
        if not alike:
            self.waiting.append(_Person([track], candidates))
            return
        person = self.waiting[max(alike)[1]]
        person.tracks.append(track)
        together = sorted([*person.candidates, *candidates], key=lambda one: one.rank, reverse=True)
        person.candidates = together[: self.room]

    def gone(self, time: float, live: Iterable[Track]) -> Iterator[_Person]:
        """Those who are not waited for any more: nobody who is in the picture may be one of them."""
        for person in list(self.waiting):
            back = any(person.may_be(track, self.follow.same) is not None for track in live)
            if time - person.last > self.follow.stitch and not back:
                self.waiting.remove(person)
                yield person


def gather(
    samples: Iterator[Sample], follower: Follower, choice: Choice, room: int, seen: Seen | None
) -> Iterator[Best]:
    """Persons as they go, with their shots; ``room`` is how many candidates each may keep."""
    persons = _Persons(follower.follow, room)
    candidates: dict[int, Candidates] = {}
    numbers, n_samples = itertools.count(1), 0

    def end(tracks: Iterable[Track]) -> None:
        for track in tracks:
            found = candidates.pop(track.number).all()
            if track.n_seen > 1 or n_samples == 1:  # a find that nothing repeats may be no face
                persons.take(track, found)

    for sample in samples:
        n_samples += 1
        end(follower.ended(sample.time))
        tracks = follower.update(sample.sightings, jump=sample.jump)
        for track, sighting in zip(tracks, sample.sightings, strict=True):
            candidates.setdefault(track.number, Candidates(choice, room)).see(sighting)
            if seen is not None:
                seen(track.number, sighting)
        for person in persons.gone(sample.time, follower.live):
            yield person.best(next(numbers), choice)
    end(sorted(follower.live, key=lambda track: track.first))
    for person in sorted(persons.waiting, key=lambda person: person.tracks[0].number):
        yield person.best(next(numbers), choice)


# ------------------------------------------------------------ while a track lasts


@dataclass(slots=True, eq=False)
class _Search:
    """What a track has given so far, in ``quick``."""

    since: float
    best: Sighting | None = None
    passed: bool = False


def hurry(
    samples: Iterator[Sample], follower: Follower, gate: float, interval: float, seen: Seen | None
) -> Iterator[Best]:
    """Shots of tracks while they last: the first that passes, else the best of each interval."""
    searches: dict[int, _Search] = {}

    def given(track: Track, search: _Search) -> Iterator[Best]:
        if search.best is not None and not search.passed:
            remark = "" if search.best.value >= gate else "below the gate"
            yield Best(
                person=track.number,
                tracks=(track.number,),
                first=track.first,
                last=track.last,
                n_seen=track.n_seen,
                shots=(_shot(track.number, 1, search.best, remark),),
            )
        search.best = None

    for sample in samples:
        for track in follower.ended(sample.time):
            yield from given(track, searches.pop(track.number))
        tracks = follower.update(sample.sightings, jump=sample.jump)
        for track, sighting in zip(tracks, sample.sightings, strict=True):
            if seen is not None:
                seen(track.number, sighting)
            search = searches.setdefault(track.number, _Search(sighting.time))
            if search.best is None or sighting.value > search.best.value:
                search.best = sighting
            if sighting.value >= gate or sighting.time - search.since >= interval - 1e-6:
                yield from given(track, search)
                search.passed = search.passed or sighting.value >= gate
                search.since = sighting.time
    for track in follower.live:
        yield from given(track, searches[track.number])
