"""The way from a video to the best shots of each person: samples → faces → tracks → persons → shots."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

from ..errors import UsageError
from ..types import Quality
from .choice import Choice
from .frames import Frame, check_rate, read_frames
from .persons import gather
from .results import Best, Sample, shot_of
from .tracks import Follow, Follower, Seen, Sighting, Track

if TYPE_CHECKING:
    import os

    from ..scorer import Scorer

Mode = Literal["best", "quick"]


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
                shots=(shot_of(track.number, 1, search.best, remark),),
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
