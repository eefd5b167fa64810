"""``fiqa score``: images in → a table on a terminal, CSV into a pipe, or a file."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import UsageError
from . import process
from .common import (
    SOME_NOT_SCORED,
    Align,
    AllFaces,
    BatchSize,
    Budget,
    Detector,
    Engine,
    Heads,
    Images,
    Landmarks,
    MaxFileSize,
    MaxSide,
    Methods,
    MinFace,
    Model,
    Precision,
    ProfileFile,
    Reasons,
    Rotate,
    Threads,
    Timeout,
    Tolerant,
    announce,
    make_scorer,
    say,
)
from .progress import Watch
from .tables import print_table

if TYPE_CHECKING:
    from ..calibration import Gate
    from ..scorer import Scorer
    from ..types import Quality


def score(
    images: Images,
    method: Methods = None,
    model: Model = "default",
    align: Align = "auto",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to .csv, .jsonl or .parquet.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an unfinished --output.")] = False,
    save_crops: Annotated[
        Path | None, typer.Option("--save-crops", help="Folder for the aligned crop of every scored face.")
    ] = None,
    all_faces: AllFaces = False,
    gate: Annotated[
        str | None,
        typer.Option(metavar="RULE", help="60, fnmr=1% or discard=10%: adds the column 'accepted'."),
    ] = None,
    reasons: Reasons = False,
    budget: Budget = None,
    engine: Engine = "auto",
    precision: Precision = "fp32",
    threads: Threads = None,
    batch_size: BatchSize = 8,
    heads: Heads = None,
    landmarks: Landmarks = None,
    detector: Detector = None,
    rotate: Rotate = "none",
    min_face: MinFace = None,
    max_side: MaxSide = None,
    profile: ProfileFile = None,
    timeout: Timeout = 30.0,
    max_file_size: MaxFileSize = 200,
    tolerant: Tolerant = False,
) -> None:
    """Score face images: a table on a terminal, CSV into a pipe, or a file with -o.

    Exit code 0: every input was scored; 3: some were not (each has its row and status); 2: wrong use.
    """
    from ..pipeline import expand, gate_of

    if output is None:
        _check_stdout(resume, save_crops)
    found = expand(images)
    scorer = make_scorer(
        model=model, methods=method, engine=engine, align=align, threads=threads, precision=precision,
        heads=heads, profile=profile, budget=budget, landmarks=landmarks, detector=detector,
        timeout=timeout, max_file_size=max_file_size, tolerant=tolerant,
        rotate=rotate, min_face=min_face, max_side=max_side, reasons=reasons,
    )  # fmt: skip
    announce(scorer, budget)
    rule = gate_of(scorer, gate) if gate is not None else None
    settings: dict[str, Any] = {"batch_size": batch_size, "all_faces": all_faces, "gate": rule}
    if output is None:
        n_not_ok = _print(scorer, found, **settings)
    else:
        settings |= {"resume": resume, "save_crops": save_crops, "decides": {"landmarks": _digest(landmarks)}}
        n_not_ok = _write(output, scorer, found, **settings)
    if n_not_ok:
        raise typer.Exit(SOME_NOT_SCORED)


def _check_stdout(resume: bool, save_crops: Path | None) -> None:
    for option, given in (("--resume", resume), ("--save-crops", save_crops)):
        if given:
            raise typer.BadParameter(f"{option} needs --output")
    if process.stdout_is_closed():
        raise UsageError("standard output is closed: name a file with --output")


def _digest(landmarks: Path | None) -> str:
    from ..pipeline.facts import digest

    return digest(landmarks.read_bytes()) if landmarks else ""


def _write(output: Path, scorer: Scorer, found: list[str], **settings: Any) -> int:
    from ..pipeline import score_to

    with process.advice("finished rows are kept, go on with --resume"), Watch() as watch:
        return score_to(output, scorer, found, progress=watch, remark=say, **settings).n_not_ok


def _print(scorer: Scorer, found: list[str], *, batch_size: int, all_faces: bool, gate: Gate | None) -> int:
    from ..pipeline.run import open_all

    open_all(scorer, found, batch_size)
    with Watch() as watch:
        qualities = watch.each(scorer.stream(found, batch_size, all_faces=all_faces, keep=()), len(found))
        how = print_table if sys.stdout.isatty() else _print_csv
        return how(qualities, scorer, gate)


def _print_csv(qualities: Iterable[Quality], scorer: Scorer, gate: Gate | None) -> int:
    from ..pipeline.rows import columns, row
    from ..pipeline.sinks import CsvSink

    sys.stdout.reconfigure(errors="surrogateescape", newline="")  # type: ignore[union-attr]
    of, n_not_ok = columns(scorer.specs, reasons=scorer.policy is not None, gate=gate), 0
    table = CsvSink(sys.stdout, of)
    for quality in qualities:
        table.write(row(quality, of))
        n_not_ok += not quality.ok
    return n_not_ok
