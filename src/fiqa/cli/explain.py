"""``fiqa explain`` and ``fiqa demo``: images in → maps and a page out."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast, get_args

import typer

from ..specs import choice
from .common import SOME_NOT_SCORED, Images, announce, say
from .progress import Watch
from .scorer_options import Given, make_scorer, scorer_options
from .tables import print_table

if TYPE_CHECKING:
    from ..pages.contrast import Contrast


@scorer_options(
    "method", "model", "align", "all_faces", "engine", "threads", "heads", "landmarks", "detector", "no_cache"
)
def explain(
    images: Images,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the maps and index.html.")],
    *,
    contrast: Annotated[
        str | None,
        typer.Option(
            help="Colours over each face, or over the whole page, so that faces can be compared.",
            metavar="face|page",
            show_default="face for one, page for several",
        ),
    ] = None,
    png: Annotated[
        bool, typer.Option("--png", help="Also write explanation.png: all in one picture, for slides.")
    ] = False,
    given: Given,
) -> None:
    """Draw which part of each face counts: a page with crop, maps, score and advice, and its pictures."""
    from ..pages.contrast import Contrast
    from ..pages.explanation import write_page
    from ..pages.slide import MOST, write_slide
    from ..pipeline import sources

    if contrast is not None:
        choice("--contrast", contrast, get_args(Contrast))
    ends = cast("Contrast | None", contrast)
    scorer = make_scorer(given, reasons=True)
    found = sources.expand(images)
    with Watch() as watch:
        qualities = list(watch.each(scorer.stream(found, all_faces=given["all_faces"]), len(found)))
    page = write_page(qualities, scorer, output, contrast=ends)
    for quality in qualities:
        for reason in quality.reasons:
            say(f"{quality.path}: {reason.code.replace('_', ' ')}: {reason.advice}")
    print(page)
    if png:
        print(write_slide(qualities, output / "explanation.png", contrast=ends))
        if len(qualities) > MOST:
            say(f"explanation.png has the first {MOST} of {len(qualities)} faces, {page.name} has all")
    if not all(quality.ok for quality in qualities):
        raise typer.Exit(SOME_NOT_SCORED)


@scorer_options("threads")
def demo(
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the maps and index.html.")
    ] = Path("out/demo"),
    given: Given,
) -> None:
    """Score the example photographs with the embedded model and draw their maps."""
    from ..examples.portraits import example_landmarks, example_paths
    from ..pages.explanation import write_page

    landmarks = None
    if importlib.util.find_spec("mtcnn") is None:  # the core install comes without a detector
        print("fiqa: no detector is installed (extra detect): stored landmarks are used", file=sys.stderr)
        landmarks = example_landmarks()
    scorer = make_scorer(given | {"landmarks": landmarks}, reasons=True)
    announce(scorer, None)
    with Watch() as watch:
        qualities = list(watch.each(scorer.stream(examples := example_paths()), len(examples)))
    print_table(qualities, scorer)
    print(write_page(qualities, scorer, output))
    if not all(quality.ok for quality in qualities):
        raise typer.Exit(SOME_NOT_SCORED)
