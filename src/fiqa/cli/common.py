"""What several commands share: options, exit codes, progress, and how things are said."""

from __future__ import annotations

import statistics
import sys
import time
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ..scorer import Scorer
    from ..types import Quality

OK, WRONG_USE, SOME_NOT_SCORED, FAILED, INTERRUPTED = 0, 2, 3, 1, 130


# typer reads these annotations at run time
Model = Annotated[
    str, typer.Option("--model", help="'default', a preset, PRESET=FILE, .onnx, .safetensors, .pt, hf-hub:…")
]
Methods = Annotated[
    list[str] | None, typer.Option("--method", "-m", help="Method spec; repeatable. See 'fiqa methods'.")
]
Engine = Annotated[str, typer.Option(help="auto, openvino, onnxruntime or torch.")]
Precision = Annotated[str, typer.Option(help="fp32, bf16 or int8.")]
Threads = Annotated[int | None, typer.Option(min=1, help="Processors to use. [default: all]")]
Heads = Annotated[int | None, typer.Option(min=1, help="Attention heads of a checkpoint that is no preset.")]
Align = Annotated[str, typer.Option(help="auto, none or detect.")]
Landmarks = Annotated[Path | None, typer.Option(help="CSV path,x1,y1,…,x5,y5 to use in place of a detector.")]
Budget = Annotated[str | None, typer.Option(help="Limit a face's pass: 50%, 3GFLOPs or 20ms.")]


def say(message: str) -> None:
    print(f"fiqa: {printable(message)}", file=sys.stderr)


def printable(text: str) -> str:
    """Text for a terminal: control characters and undecodable bytes become escapes."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text
    )


def make_scorer(**settings: Any) -> Scorer:
    landmarks = settings.pop("landmarks", None)
    if landmarks is not None:
        from ..faces.sources import LandmarksCsv

        settings["detector"] = LandmarksCsv(landmarks)
    from ..scorer import Scorer

    return Scorer(**settings)


def announce(scorer: Scorer, budget: str | None) -> None:
    notes = [f"{scorer.card.name} on {scorer.engine}"]
    if budget:
        notes.append("within the budget: " + ", ".join(scorer.used.values()))
    if scorer.scored_by is None:
        notes.append("no calibration for this model and method, so no 0–100 score (see 'fiqa calibrate')")
    print(f"fiqa: {'; '.join(notes)}", file=sys.stderr)


def with_progress(qualities: Any, total: int) -> Any:
    """Pass qualities through, with a bar, the rate and the time left on a terminal's stderr."""
    if not sys.stderr.isatty():
        yield from qualities
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    text = TextColumn("{task.fields[rate]}")
    with Progress(
        BarColumn(),
        MofNCompleteColumn(),
        text,
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        task = bar.add_task("", total=total, rate="")
        for quality in qualities:
            yield quality
            if quality.face_index == 0:
                bar.update(task, advance=1)
                done, seconds = bar.tasks[0].completed, bar.tasks[0].elapsed or 0
                bar.update(task, rate=f"{done / seconds:.1f} images/s" if seconds > 1 else "")


def with_summary(qualities: Iterable[Quality], most: int = 10) -> Iterator[Quality]:
    """Pass qualities through; at the end say on stderr why the first ``most`` bad ones have no score.

    The last line counts: images, faces, statuses, the rate, and the median score.
    """
    start, n_images = time.perf_counter(), 0
    reasons: list[str] = []
    statuses, scores = Counter[str](), array("f")
    for quality in qualities:
        yield quality
        n_images += quality.face_index == 0
        statuses[quality.status] += 1
        if quality.score is not None:
            scores.append(quality.score)
        if not quality.ok and len(reasons) < most:
            named = repr(quality.path) in quality.reason
            reasons.append(quality.reason if named else f"{quality.path}: {quality.reason}")
    for reason in reasons:
        say(reason)
    failed = statuses.total() - statuses["ok"]
    if failed > len(reasons):
        say(f"and {failed - len(reasons)} more, each with its status in the table")
    if n_images:
        seconds = time.perf_counter() - start
        counts = ", ".join(f"{n} {status}" for status, n in statuses.most_common())
        median = f"; median score {statistics.median(scores):.1f}" if scores else ""
        say(f"{n_images} images in {seconds:.1f} s ({n_images / seconds:.1f} a second): {counts}{median}")
