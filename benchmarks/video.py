"""How well ``fiqa best`` follows faces and chooses shots, on generated videos of which the truth is known.

python benchmarks/video.py [--seeds N] [--size WIDTHxHEIGHT] [--seconds S] [--stream MINUTES]

Each seed is a scene of benchmarks/scenes.py, written as H.264 at 25 frames a second and read at 5: one
person, two who cross, or two between whom the picture cuts; the faces grow or shrink, and are blurred,
darkened or covered to a severity that is known for every frame. Counted are: persons
that are there and found; sightings whose track was of the other person before (identity switches); and where
the severity of the best shot lies in the range in which its person was seen (0 % is the least spoilt).
"""

from __future__ import annotations

import argparse
import itertools
import resource
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from benchmarks.scenes import PLOTS, Scene, write_video

from fiqa import Scorer
from fiqa.engines import available_threads
from fiqa.types import ImageArray
from fiqa.video import Frame, best_shots
from fiqa.video.tracks import Sighting

RATE, FPS = 25, 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one video.

    Attributes:
        plot: what happens in it.
        persons, found: how many there are, of those that a sample shows, and how many came out.
        switches: sightings that follow one of another person in their track.
        places: severity of each person's best shot within the range in which the person was seen, from 0.
        seconds: that the whole took, without writing the video.
        length: of the video, in seconds.
    """

    plot: str
    persons: int
    found: int
    switches: int
    places: list[float]
    seconds: float
    length: float


def watch(scene: Scene, path: Path, scorer: Scorer) -> Outcome:
    """Write a scene, take its best shots, and compare with what is known of it."""
    write_video(path, scene.frames(RATE), rate=RATE)
    tracks: dict[int, list[tuple[int, float]]] = {}  # track → (actor, severity) of each sighting
    seen: dict[int, list[float]] = {}  # actor → severities in which it was seen

    def see(track: int, sighting: Sighting) -> None:
        actor, severity = truth(scene, sighting)
        tracks.setdefault(track, []).append((actor, severity))
        seen.setdefault(actor, []).append(severity)

    start = time.perf_counter()
    persons = list(best_shots(path, scorer, fps=FPS, seen=see))
    seconds = time.perf_counter() - start
    places = []
    for person in persons:
        if person.shots:
            shot = person.shots[0]
            sighting = Sighting(
                frame=shot.frame, time=shot.time, name="", size=scene.size, quality=shot.quality, value=0.0
            )
            actor, severity = truth(scene, sighting)
            low, high = min(seen[actor]), max(seen[actor])
            places.append((severity - low) / max(high - low, 1e-6))
    switches = sum(
        one != other
        for sightings in tracks.values()
        for (one, _), (other, _) in itertools.pairwise(sightings)
    )
    repeated = sum(len(severities) > 1 for severities in seen.values())
    return Outcome(
        plot=PLOTS[scene.seed % len(PLOTS)],
        persons=repeated,
        found=len(persons),
        switches=switches,
        places=places,
        seconds=seconds,
        length=scene.seconds,
    )


def truth(scene: Scene, sighting: Sighting) -> tuple[int, float]:
    """Which actor a face is of, and its severity then: the front one of two who stand at one place."""
    near = []
    for number, actor in enumerate(scene.actors):
        place = actor.at(sighting.time)
        if place is not None:
            centre, side, severity = place
            away = float(np.linalg.norm(centre * scene.size - sighting.place[:2]))
            hidden = away > 0.35 * side * scene.size[1]
            near.append((hidden, away if hidden else -number, number, severity))
    _, _, number, severity = min(near)
    return number, severity


def stream(minutes: float, scorer: Scorer) -> None:
    """One scene after another as one endless stream; resident memory, every minute of it."""
    length = 8.0

    def frames() -> Iterator[tuple[float, ImageArray]]:
        for seed in range(round(minutes * 60 / length)):
            for time_, pixels in Scene.make(seed, size=(320, 240), seconds=length).frames(FPS):
                yield seed * length + time_, pixels

    resident: list[float] = []

    def sampled(frame: Frame) -> None:
        if frame.time >= 60 * len(resident):
            resident.append(resident_megabytes())
            print(f"  minute {len(resident) - 1:>3}: {resident[-1]:.0f} MB", flush=True)

    n_persons = sum(1 for _ in best_shots(frames(), scorer, fps=FPS, sampled=sampled))
    last = f"{resident[1]:.0f} MB after the first, {resident[-1]:.0f} at the last"
    print(f"{minutes:g} minutes, {n_persons} persons: {last}")


def resident_megabytes() -> float:
    """Resident memory of this process in MB, as Linux says it."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--stream", type=float, help="instead: the memory of a stream of so many minutes")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    scorer = Scorer(embedding=True)
    scorer.warm_up()
    if options.stream:
        stream(options.stream, scorer)
        return
    outcomes = []
    print(f"{scorer!r}, {available_threads()} processors, {width}×{height}, {FPS:g} samples a second")
    print("seed  plot      persons found switches  severity of the best shots  seconds a second")
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(options.seeds):
            scene = Scene.make(seed, size=(width, height), seconds=options.seconds)
            one = watch(scene, Path(folder) / "scene.mp4", scorer)
            outcomes.append(one)
            places = " ".join(f"{place:.0%}" for place in one.places)
            print(
                f"{seed:>4}  {one.plot:<9} {one.persons:>7} {one.found:>5} {one.switches:>8}  {places:<26}  "
                f"{one.seconds / one.length:.2f}",
                flush=True,
            )
    places = np.array([place for one in outcomes for place in one.places])
    right = np.mean([one.persons == one.found for one in outcomes])
    spared = [max(one.places, default=0) <= 0.15 for one in outcomes]
    print(
        f"identity switches: {sum(one.switches for one in outcomes)}\n"
        f"persons counted right: in {right:.0%} of {len(outcomes)} videos\n"
        f"best shot among the least spoilt 15 %: of {np.mean(places <= 0.15):.0%} of {len(places)} persons, "
        f"of all persons in {np.mean(spared):.0%} of the videos\n"
        f"time: {np.median([one.seconds / one.length for one in outcomes]):.2f} s a second of video (median)"
    )


if __name__ == "__main__":
    main()
