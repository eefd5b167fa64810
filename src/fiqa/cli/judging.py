"""What the commands share that tell which quality to trust: options, data sets, recognisers, score lists."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import specs
from ..errors import UsageError
from . import process
from .common import INTERRUPTED

if TYPE_CHECKING:
    from ..evaluation.datasets import Dataset
    from ..evaluation.recognizers import PrecomputedEmbeddings, Recognizer
    from ..evaluation.score_lists import ListedScores
    from ..types import ImageArray

# typer reads these annotations at run time
_DATASET, _RECOGNIZER = ("--dataset", "-d"), ("--recognizer", "-r")
_IMAGES = "Data set, KIND=PATH or KIND:NAME=PATH{}. See 'fiqa datasets'."
_JUDGE = "The judge, FILE[:option=value,…], .onnx, .npz or .pt{}."
AnyDataset = Annotated[str | None, typer.Option(*_DATASET, help=_IMAGES.format(""))]
Datasets = Annotated[list[str] | None, typer.Option(*_DATASET, help=_IMAGES.format("; repeatable"))]
AnyRecognizer = Annotated[str | None, typer.Option(*_RECOGNIZER, help=_JUDGE.format(""))]
Recognizers = Annotated[list[str] | None, typer.Option(*_RECOGNIZER, help=_JUDGE.format("; repeatable"))]
Scores = Annotated[
    list[str] | None,
    typer.Option("--scores", help="NAME=FILE.csv[:COLUMN] with path,score of another tool; repeatable."),
]
AlignImages = Annotated[
    str, typer.Option("--align", help="Images that are no 112×112 crops: none (refuse) or detect.")
]
Pairs = Annotated[str, typer.Option("--pairs", help="listed (where there are any) or all against all.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of all that is drawn.")]
Resamples = Annotated[int, typer.Option(min=20, help="Bootstrap draws, for the intervals.")]
Cache = Annotated[
    Path | None,
    typer.Option(help="File for embeddings and scores.", show_default="cache.sqlite beside the output"),
]


def read_datasets(texts: Sequence[str] | None) -> list[Dataset]:
    """The data sets of --dataset, each ``KIND=PATH`` or ``KIND:NAME=PATH``."""
    from ..evaluation.datasets import open_dataset

    if not texts:
        raise UsageError("there is no data set: give --dataset KIND=PATH (see 'fiqa datasets')")
    return [open_dataset(text) for text in texts]


def read_recognizers(
    texts: Sequence[str] | None, threads: int | None
) -> list[Recognizer | PrecomputedEmbeddings]:
    """The judges of --recognizer."""
    from ..evaluation.recognizers import open_recognizer

    if not texts:
        raise UsageError("there is no judge: give --recognizer FILE (an ONNX network, a checkpoint or .npz)")
    return [open_recognizer(text, threads=threads) for text in texts]


def read_score_list(text: str) -> ListedScores:
    """The list of --scores, ``NAME=FILE.csv`` or ``NAME=FILE.csv:COLUMN``."""
    from ..evaluation.score_lists import choose_column, read_scores

    # the name may itself hold options, as in vitnt:blocks=0-5=scores.csv
    match = re.fullmatch(r"(.+)=([^=]+)", text)
    if match is None:
        raise UsageError(f"--scores must be NAME=FILE.csv or NAME=FILE.csv:COLUMN, but got {text!r}")
    path, column = choose_column(match[2])
    return read_scores(path, match[1], column)


def aligner(align: str) -> Callable[[ImageArray], ImageArray] | None:
    """What --align says of images that are no crops."""
    specs.choice("--align", align, ("none", "detect"))
    if align == "none":
        return None
    from ..evaluation.datasets import by_detection

    return by_detection()


@contextmanager
def kept_on_interrupt(what: str) -> Iterator[None]:
    try:
        with process.advice(what):
            yield
    except KeyboardInterrupt:  # called from Python, with no handler of signals
        print(f"fiqa: stopped; {what}", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None


@contextmanager
def progress_bars() -> Iterator[Callable[[str, int, int], None]]:
    """A bar a data set on a terminal's stderr; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda name, done, total: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def show(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(name, total=total)
            bar.update(tasks[name], completed=done)

        yield show
