"""``fiqa best``: a video, a burst or a camera in → the best shots of each person."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UsageError
from . import process
from .common import SOME_NOT_SCORED, announce, say
from .scorer_options import Given, make_scorer, scorer_options

if TYPE_CHECKING:
    from ..scorer import Scorer
    from ..video.frames import Frame
    from ..video.results import Best


@scorer_options(
    "method", "model", "reasons", "engine", "precision",
    "threads", "rotate", "min_face", "max_side", "profile", "no_cache",
)  # fmt: skip
def best(
    source: Annotated[
        str,
        typer.Argument(help="A video, a folder of pictures, camera:0, or an address such as rtsp://HOST."),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for crops, table and contact sheet.")
    ],
    fps: Annotated[float, typer.Option(help="Samples a second.")] = 5.0,
    top: Annotated[int, typer.Option(min=1, help="Shots a person.")] = 3,
    mode: Annotated[
        str, typer.Option(help="best: when a person has gone; quick: at once when a shot passes the gate.")
    ] = "best",
    gate: Annotated[
        str | None, typer.Option(help="For quick: a score, or fnmr=1% or discard=10% of the profile.")
    ] = None,
    interval: Annotated[float, typer.Option(help="For quick: seconds between shots below the gate.")] = 2.0,
    embedding: Annotated[
        bool, typer.Option("--embedding", help="Also write each person's mean embedding (biometric data).")
    ] = False,
    overlay: Annotated[
        bool, typer.Option("--overlay", help="Also write the samples as a video with boxes and scores.")
    ] = False,
    table_format: Annotated[str, typer.Option("--format", help="Of the table: csv or jsonl.")] = "csv",
    *,
    given: Given,
) -> None:
    """The best shots of each person in a video: the few frames that are worth matching.

    Exit code 0: there is at least one; 3: no face was found; 2: wrong use.
    """
    from ..specs import choice
    from ..video import Choice, best_shots
    from ..video.album import Album
    from ..video.overlay import Marks, write_overlay

    choice("format", table_format, ("csv", "jsonl"))
    is_live = source.startswith("camera:") or "://" in source
    if overlay and is_live:
        raise UsageError("--overlay reads the video twice, and a camera or stream can be read once only")
    scorer = _with_embedding(given, needed=embedding)
    announce(scorer, None)
    watch, marks = _Samples(), Marks()
    persons = best_shots(
        source, scorer, fps=fps, mode=mode, gate=_gate(gate, scorer), interval=interval,  # type: ignore[arg-type]
        choice=Choice(top=top), seen=marks.see if overlay else None, sampled=watch.see,
        batch_size=4 if is_live else 8,
    )  # fmt: skip
    scorer.warm_up()
    n_shots = 0
    numbers: dict[int, int] = {}
    with (
        process.advice("what was found is kept"),
        Album(
            output, scorer.specs, reasons=given["reasons"], table=table_format, embeddings=embedding
        ) as album,
    ):
        for person in persons:
            album.add(person)
            n_shots += len(person.shots)
            numbers |= dict.fromkeys(person.tracks, person.person)
            _print(person)
        if overlay:
            write_overlay(output / "overlay.mp4", source, marks, numbers, fps=fps)
    watch.summarise(album.n_persons, n_shots)
    if not n_shots:
        raise typer.Exit(SOME_NOT_SCORED)


def _with_embedding(given: Given, *, needed: bool) -> Scorer:
    """A scorer that gives the embedding, which tells people apart, if its model has one."""
    try:
        return make_scorer(given, align="detect", embedding=True)
    except UsageError:
        if needed:
            raise
        scorer = make_scorer(given, align="detect")  # says what else is wrong
        say(f"{scorer.card.name} gives no embedding: people are told apart by where they stand only")
        return scorer


def _gate(text: str | None, scorer: Scorer) -> float | None:
    from ..calibration import read_gate

    return None if text is None else read_gate(text, scorer.calibration).score


def _print(person: Best) -> None:
    for shot in person.shots:
        score = "" if shot.quality.score is None else f"score {shot.quality.score:.0f}"
        note = f"  ({shot.remark})" if shot.remark else ""
        where = shot.name or f"frame {shot.frame}"
        print(f"person {shot.person}  {shot.time:8.2f} s  {where}  {score}{note}")
    sys.stdout.flush()


class _Samples:
    """Counts samples, and the seconds that they span."""

    def __init__(self) -> None:
        self.n, self.n_damaged, self.last, self.first_damage = 0, 0, 0.0, ""

    def see(self, frame: Frame) -> None:
        self.n, self.last = self.n + 1, frame.time
        if frame.damage:
            self.n_damaged += 1
            self.first_damage = (
                self.first_damage or f"{frame.name or f'frame {frame.number}'}: {frame.damage}"
            )

    def summarise(self, n_persons: int, n_shots: int) -> None:
        if self.n_damaged:
            say(f"{self.n_damaged} of {self.n} samples were left out, the first: {self.first_damage}")
        say(f"{self.n} samples of {self.last:.1f} s: {n_persons} persons, {n_shots} shots")
