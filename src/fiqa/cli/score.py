"""``fiqa score``: images in → a table on a terminal, CSV into a pipe, or a file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .common import (
    SOME_NOT_SCORED,
    Align,
    Budget,
    Engine,
    Heads,
    Landmarks,
    Methods,
    Model,
    Precision,
    Threads,
    announce,
    make_scorer,
    with_progress,
    with_summary,
)
from .tables import print_table

if TYPE_CHECKING:
    from ..scorer import Scorer


def score(
    paths: Annotated[
        list[str], typer.Argument(help="Images, folders, globs, @LIST, or - for a list on stdin.")
    ],
    method: Methods = None,
    model: Model = "default",
    align: Align = "auto",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to .csv, .jsonl or .parquet.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an unfinished --output.")] = False,
    all_faces: Annotated[bool, typer.Option("--all-faces", help="Every face, not just the largest.")] = False,
    budget: Budget = None,
    engine: Engine = "auto",
    precision: Precision = "fp32",
    threads: Threads = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Faces a forward pass.")] = 8,
    heads: Heads = None,
    landmarks: Landmarks = None,
    profile: Annotated[Path | None, typer.Option(help="Calibration profile for the 0–100 score.")] = None,
) -> None:
    """Score face images: a table on a terminal, CSV into a pipe, or a file with -o.

    Exit code 0: every input was scored; 3: some were not (each has its row and status); 2: wrong use.
    """
    from ..pipeline import run, sources
    from ..pipeline.output import Output

    if resume and output is None:
        raise typer.BadParameter("--resume needs --output")
    found = sources.expand(paths)
    scorer = make_scorer(
        model=model, methods=method, engine=engine, align=align, threads=threads, precision=precision,
        heads=heads, profile=profile, budget=budget, landmarks=landmarks,
    )  # fmt: skip
    announce(scorer, budget)
    if output is not None:
        facts = run.facts(scorer, all_faces=all_faces, landmarks=landmarks)
        with Output(output, scorer.specs, facts, resume=resume, several_rows=all_faces) as table:
            if table.done:
                print(f"resuming: {len(table.done)} of {len(found)} images are done", file=sys.stderr)
            todo = [path for path in found if path not in table.done]
            qualities = run.score_into(table, scorer, todo, batch_size=batch_size, all_faces=all_faces)
            for _ in with_summary(with_progress(qualities, len(todo))):
                pass
            failed = table.n_failed
    else:
        qualities = scorer.stream(found, batch_size, all_faces=all_faces)
        qualities = with_summary(with_progress(qualities, len(found)))
        failed = print_table(qualities, scorer) if sys.stdout.isatty() else _print_csv(qualities, scorer)
    if failed:
        raise typer.Exit(SOME_NOT_SCORED)


def _print_csv(qualities: Any, scorer: Scorer) -> int:
    from ..pipeline import rows, sinks

    sys.stdout.reconfigure(errors="surrogateescape", newline="")  # type: ignore[union-attr]
    table, failed = sinks.CsvSink(sys.stdout, rows.columns(scorer.specs)), 0
    for quality in qualities:
        table.write(rows.row(quality, scorer.specs))
        failed += not quality.ok
    return failed
