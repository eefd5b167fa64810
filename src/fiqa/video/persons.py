"""Tracks that have ended in → persons, who may have several of them, with their best shots out."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from ..types import FloatArray
from .choice import Candidate, Candidates, Choice, choose
from .results import Best, Sample, shot_of
from .tracks import Follow, Follower, Seen, Track


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
            shot_of(number, rank, candidate.sighting, candidate.remark)
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
