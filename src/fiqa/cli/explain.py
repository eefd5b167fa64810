"""``fiqa explain`` and ``fiqa demo``: images in → overlays and a page out."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Annotated

import typer

from .common import (
    SOME_NOT_SCORED,
    Align,
    Detector,
    Engine,
    Heads,
    Images,
    Landmarks,
    Methods,
    Model,
    Threads,
    announce,
    make_scorer,
    say,
)
from .progress import Watch
from .tables import print_table


def explain(
    images: Images,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the overlays and index.html.")],
    method: Methods = None,
    model: Model = "default",
    align: Align = "auto",
    engine: Engine = "auto",
    threads: Threads = None,
    heads: Heads = None,
    landmarks: Landmarks = None,
    detector: Detector = None,
) -> None:
    """Draw which part of each face counts: one overlay per image and method, and a page that shows them."""
    from ..pages.explanation import write_page
    from ..pipeline import sources

    scorer = make_scorer(
        model=model,
        methods=method,
        engine=engine,
        align=align,
        threads=threads,
        heads=heads,
        landmarks=landmarks,
        detector=detector,
        reasons=True,
    )
    found = sources.expand(images)
    with Watch() as watch:
        qualities = list(watch.each(scorer.stream(found), len(found)))
    page = write_page(qualities, scorer, output)
    for quality in qualities:
        for reason in quality.reasons:
            say(f"{quality.path}: {reason.code.replace('_', ' ')}: {reason.advice}")
    print(page)
    if not all(quality.ok for quality in qualities):
        raise typer.Exit(SOME_NOT_SCORED)


def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the overlays and index.html.")
    ] = Path("out/demo"),
    threads: Threads = None,
) -> None:
    """Score the example photographs with the embedded model and draw their overlays."""
    from ..examples.portraits import example_landmarks, example_paths
    from ..pages.explanation import write_page

    landmarks = None
    if importlib.util.find_spec("mtcnn") is None:  # the core install comes without a detector
        print("fiqa: no detector is installed (extra detect): stored landmarks are used", file=sys.stderr)
        landmarks = example_landmarks()
    scorer = make_scorer(threads=threads, landmarks=landmarks, reasons=True)
    announce(scorer, None)
    with Watch() as watch:
        qualities = list(watch.each(scorer.stream(examples := example_paths()), len(examples)))
    print_table(qualities, scorer)
    print(write_page(qualities, scorer, output))
    if not all(quality.ok for quality in qualities):
        raise typer.Exit(SOME_NOT_SCORED)
