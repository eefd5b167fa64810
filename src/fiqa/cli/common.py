"""What several commands share: options, exit codes, progress, and how things are said."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import UsageError

if TYPE_CHECKING:
    from ..scorer import Scorer

OK, WRONG_USE, SOME_NOT_SCORED, NOT_ACCEPTED, FAILED, INTERRUPTED = 0, 2, 3, 4, 1, 130


# typer reads these annotations at run time
Model = Annotated[
    str,
    typer.Option(
        "--model", help="'default', a preset, PRESET=FILE, .onnx, .safetensors, .pt or hf-hub:NAME."
    ),
]
Methods = Annotated[
    list[str] | None, typer.Option("--method", "-m", help="Method spec; repeatable. See 'fiqa methods'.")
]
Images = Annotated[
    list[str],
    typer.Argument(help="Images, folders, globs, @LIST, or - for a list on stdin."),
]
Engine = Annotated[str, typer.Option(help="auto, openvino, onnxruntime or torch.")]
Precision = Annotated[str, typer.Option(help="fp32, bf16 or int8.")]
Threads = Annotated[int | None, typer.Option(min=1, help="Processors to use.", show_default="all")]
BatchSize = Annotated[int, typer.Option(min=1, help="Faces per forward pass.")]
Heads = Annotated[int | None, typer.Option(min=1, help="Attention heads of a checkpoint that is no preset.")]
Align = Annotated[str, typer.Option(help="auto, none or detect.")]
Landmarks = Annotated[Path | None, typer.Option(help="CSV path,x1,y1,…,x5,y5 to use in place of a detector.")]
AllFaces = Annotated[bool, typer.Option("--all-faces", help="Every face, not just the largest.")]
Rotate = Annotated[str, typer.Option(help="none, or auto: also find faces turned by 90°, 180° or 270°.")]
Detector = Annotated[
    str | None, typer.Option(help="Source of faces, NAME[:option=value,…]. See 'fiqa methods'.")
]
MinFace = Annotated[
    int | None,
    typer.Option(metavar="PIXELS", help="Side of the smallest face to look for.", show_default="20"),
]
MaxSide = Annotated[
    int | None,
    typer.Option(
        metavar="PIXELS", help="Look for faces in a copy of at most this size.", show_default="1280"
    ),
]
Reasons = Annotated[
    bool, typer.Option("--reasons", help="Also say why a face may be less useful, and what to do about it.")
]
ProfileFile = Annotated[
    Path | None, typer.Option("--profile", help="Calibration profile for the 0–100 score.")
]
Budget = Annotated[str | None, typer.Option(help="Limit a face's pass: 50%, 3GFLOPs or 20ms.")]
Timeout = Annotated[float, typer.Option(metavar="SECONDS", help="Seconds after which one image is given up.")]
MaxFileSize = Annotated[
    int, typer.Option(min=1, metavar="MEGABYTES", help="Megabytes of the largest file that is read.")
]
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
    *,
    timeout: float = 30.0,
    max_file_size: int = 200,
    max_pixels: int | None = None,
    tolerant: bool = False,
    **settings: Any,
) -> Scorer:
    """A scorer; ``landmarks``, ``min_face``, ``max_side`` say where its faces come from, None: not given."""
    from ..images import MAX_PIXELS, Limits
    from ..scorer import Scorer

    landmarks, detector = settings.pop("landmarks", None), settings.get("detector")
    sizes = {name: settings.pop(name, None) for name in ("min_face", "max_side")}
    sizes = {name: value for name, value in sizes.items() if value is not None}
    if landmarks is not None:
        from ..faces import LandmarksCsv

        _refuse([*sizes, *(["detector"] if detector else [])], "--landmarks takes the detector's place")
        settings["detector"] = LandmarksCsv(landmarks)
    elif sizes:
        from ..faces import default_detector

        if settings.get("align") == "none":
            _refuse(sizes, "--align none detects nothing")
        if detector:
            _refuse(sizes, "--detector takes its own options, as in mtcnn:min_face=40")
        settings["detector"] = default_detector(**sizes)
    limits = Limits(
        timeout=timeout,
        max_bytes=max_file_size * 1_000_000,
        max_pixels=max_pixels or MAX_PIXELS,
        tolerant=tolerant,
    )
    return Scorer(limits=limits, **settings)


def _refuse(options: Iterable[str], why: str) -> None:
    for name in options:
        raise UsageError(f"--{name.replace('_', '-')} is the detector's, and {why}: leave out one of them")


def announce(scorer: Scorer, budget: str | None) -> None:
    notes = [f"{scorer.card.name} on {scorer.engine}"]
    if budget:
        notes.append("within the budget: " + ", ".join(scorer.used.values()))
    if scorer.scored_by is None:
        notes.append("no calibration for this model and method, so no 0–100 score (see 'fiqa calibrate')")
    print(f"fiqa: {'; '.join(notes)}", file=sys.stderr)
