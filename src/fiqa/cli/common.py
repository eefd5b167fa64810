"""What several commands share: options, exit codes, progress, and how things are said."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ..scorer import Scorer

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
Timeout = Annotated[float, typer.Option(help="Seconds after which one image is given up.")]
MaxFileSize = Annotated[int, typer.Option(min=1, help="Megabytes of the largest file that is read.")]
Tolerant = Annotated[
    bool, typer.Option("--tolerant", help="Score truncated JPEGs too; the reason says what is missing.")
]


def say(message: str) -> None:
    print(f"fiqa: {printable(message)}", file=sys.stderr)


def printable(text: str) -> str:
    """Text for a terminal: control characters and undecodable bytes become escapes."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text
    )


def make_scorer(
    *, timeout: float = 30.0, max_file_size: int = 200, tolerant: bool = False, **settings: Any
) -> Scorer:
    from ..images import Limits

    landmarks = settings.pop("landmarks", None)
    if landmarks is not None:
        from ..faces.sources import LandmarksCsv

        settings["detector"] = LandmarksCsv(landmarks)
    from ..scorer import Scorer

    limits = Limits(timeout=timeout, max_bytes=max_file_size * 1_000_000, tolerant=tolerant)
    return Scorer(limits=limits, **settings)


def announce(scorer: Scorer, budget: str | None) -> None:
    notes = [f"{scorer.card.name} on {scorer.engine}"]
    if budget:
        notes.append("within the budget: " + ", ".join(scorer.used.values()))
    if scorer.scored_by is None:
        notes.append("no calibration for this model and method, so no 0–100 score (see 'fiqa calibrate')")
    print(f"fiqa: {'; '.join(notes)}", file=sys.stderr)
