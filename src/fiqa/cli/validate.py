"""fiqa validate: images without labels in → whether quality falls with damage, and which settings to use."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import DataError, unknown
from .common import Images
from .judging import Resamples, kept_on_interrupt, progress_bars
from .scorer_options import Given, make_scorer, scorer_options

if TYPE_CHECKING:
    from ..evaluation import Draws
    from ..evaluation.validator import Validation
    from ..scorer import Scorer
    from ..types import ImageArray


@scorer_options("method", "model", "align", "engine", "threads", "heads", "no_cache")
def validate(
    images: Images,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for validation.html and validation.json.")
    ],
    *,
    given: Given,
    kind: Annotated[
        list[str] | None, typer.Option(help="Degradation; repeatable.", show_default="all")
    ] = None,
    steps: Annotated[int, typer.Option(min=2, help="Severities, the unchanged image included.")] = 6,
    limit: Annotated[int, typer.Option(min=2, help="Use this many images at most, evenly chosen.")] = 200,
    resamples: Resamples = 1000,
) -> None:
    """Does the quality fall when your own images get worse? No labels needed.

    Without --method it tries many settings of each method and proposes blocks, alpha and weighting for the
    model; with --method it measures these.
    """
    import numpy as np

    from ..degradations import DEGRADATIONS
    from ..evaluation import Draws, propose, write_validation
    from ..evaluation.validator import candidates
    from ..models import find
    from ..pipeline import sources

    for name in kind or ():
        if name not in DEGRADATIONS:
            raise unknown("degradation", name, DEGRADATIONS)
    kinds = tuple(kind or DEGRADATIONS)
    method = given["method"]
    cost = None if method else candidates(find(given["model"], heads=given["heads"]).card)
    scorer = make_scorer(given | {"method": method or list(cost or ())})
    paths = sources.expand(images)
    if len(paths) > limit:
        paths = [paths[place] for place in np.linspace(0, len(paths) - 1, limit).round().astype(int)]
    crops, remarks = _crops(scorer, paths)
    if len(crops) < 2:
        raise DataError(f"{len(crops)} of {len(paths)} images have a face: a validation needs at least 2")
    if len(crops) < 20:
        remarks.append(f"Only {len(crops)} images: intervals are rough, take 20 or more.")
    found = _climbed(scorer, crops, kinds, steps, Draws(resamples))
    proposals = propose(found, cost) if cost else None
    page = write_validation(found, output, len(crops), proposals, tuple(remarks), scorer.card.name)
    for name, proposal in (proposals or {}).items():
        print(f"{name}: {proposal.spec} (Spearman {found[proposal.spec].spearman.estimate:.3f})")
    if not proposals:
        for spec, validation in found.items():
            low, high = validation.spearman.interval()
            print(f"{spec}: Spearman {validation.spearman.estimate:.3f} [{low:.3f}, {high:.3f}]")
    print(page)


def _climbed(
    scorer: Scorer, crops: ImageArray, kinds: tuple[str, ...], steps: int, draws: Draws
) -> dict[str, Validation]:
    """The ladders, with a bar."""
    from ..evaluation import validate as climb

    done, total = 0, len(kinds) * len(crops) * steps
    with kept_on_interrupt("nothing was written"), progress_bars() as progress:

        def score(batch: ImageArray) -> dict[str, Any]:
            nonlocal done
            found = scorer.score_crops(batch)
            done += len(batch)
            progress("ladders", done, total)
            return found

        return climb(score, crops, kinds=kinds, steps=steps, draws=draws)


def _crops(scorer: Scorer, paths: Sequence[str]) -> tuple[Any, list[str]]:
    import numpy as np

    qualities = list(scorer.stream(paths))
    crops = [quality.crop for quality in qualities if quality.ok]
    remarks = []
    if len(crops) < len(qualities):
        first = next(quality for quality in qualities if not quality.ok)
        remarks.append(
            f"{len(qualities) - len(crops)} of {len(qualities)} images are left out, the first because: "
            f"{first.reason}"
        )
    return np.array(crops, dtype=np.uint8), remarks
