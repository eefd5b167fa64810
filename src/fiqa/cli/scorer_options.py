"""The options of a scorer: each is declared once, and a command that makes one says which it takes."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import cache
from ..errors import UsageError

if TYPE_CHECKING:
    from ..scorer import Scorer

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
NoCache = Annotated[
    bool, typer.Option("--no-cache", help="Make graphs anew and keep none. See 'fiqa cache'.")
]

Given = dict[str, Any]
"""Name of an option of :data:`OPTIONS` → what the user gave, or its default."""

OPTIONS: dict[str, tuple[Any, Any]] = {
    "method": (Methods, None),
    "model": (Model, "default"),
    "align": (Align, "auto"),
    "all_faces": (AllFaces, False),
    "reasons": (Reasons, False),
    "budget": (Budget, None),
    "engine": (Engine, "auto"),
    "precision": (Precision, "fp32"),
    "threads": (Threads, None),
    "batch_size": (BatchSize, 8),
    "heads": (Heads, None),
    "landmarks": (Landmarks, None),
    "detector": (Detector, None),
    "rotate": (Rotate, "none"),
    "min_face": (MinFace, None),
    "max_side": (MaxSide, None),
    "profile": (ProfileFile, None),
    "timeout": (Timeout, 30.0),
    "max_file_size": (MaxFileSize, 200),
    "tolerant": (Tolerant, False),
    "no_cache": (NoCache, False),
}
"""Name → (typer's annotation, default), in the order of every help."""


def scorer_options(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorates a command: its parameter ``given`` becomes these options, and holds what was given for them.

    So an option is written once, and means the same in every command that has it.
    """
    assert set(names) <= set(OPTIONS), names

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        parameters: list[inspect.Parameter] = []
        for own in inspect.signature(command, eval_str=True).parameters.values():
            if own.name != "given":
                parameters.append(own.replace(kind=inspect.Parameter.KEYWORD_ONLY))
                continue
            for name in (name for name in OPTIONS if name in names):
                annotation, default = OPTIONS[name]
                one = inspect.Parameter(name, own.KEYWORD_ONLY, default=default, annotation=annotation)
                parameters.append(one)

        def run(**values: Any) -> None:
            given = {name: values.pop(name, OPTIONS[name][1]) for name in names}
            command(given=given, **values)

        run.__name__, run.__doc__, run.__module__ = command.__name__, command.__doc__, command.__module__
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in parameters}
        return run

    return decorate


def make_scorer(given: Given, *, max_pixels: int | None = None, **more: Any) -> Scorer:
    """A scorer of what was given for its options.

    Args:
        given: of :func:`scorer_options`; what a command does not offer is the scorer's own default, and
            ``batch_size`` and ``all_faces`` are not the scorer's.
        max_pixels: of the largest image; None: the default of :class:`fiqa.images.Limits`.
        more: arguments of :class:`fiqa.Scorer` that are no options.
    """
    from ..images import MAX_PIXELS, Limits
    from ..scorer import Scorer

    if given.get("no_cache"):
        os.environ[cache.VARIABLE] = cache.OFF
    said = {name: default for name, (_, default) in OPTIONS.items()} | given
    limits = Limits(
        timeout=said["timeout"],
        max_bytes=said["max_file_size"] * 1_000_000,
        max_pixels=max_pixels or MAX_PIXELS,
        tolerant=said["tolerant"],
    )
    settings = {name: said[name] for name in _SCORERS} | {"detector": _source(said)} | more
    return Scorer(said["model"], said["method"], limits=limits, **settings)


_SCORERS = (
    *("engine", "precision", "threads", "heads"),
    *("align", "rotate", "profile", "budget", "reasons"),
)


def _source(said: Given) -> Any:
    """Where the faces of a scorer come from, as it takes it."""
    sizes = {name: said[name] for name in ("min_face", "max_side") if said[name] is not None}
    detector, landmarks = said["detector"], said["landmarks"]
    if landmarks is not None:
        from ..faces import LandmarksCsv

        _refuse([*sizes, *(["detector"] if detector else [])], "--landmarks takes the detector's place")
        return LandmarksCsv(landmarks)
    if not sizes:
        return detector
    from ..faces import default_detector

    if said["align"] == "none":
        _refuse(sizes, "--align none detects nothing")
    if detector:
        _refuse(sizes, "--detector takes its own options, as in mtcnn:min_face=40")
    return default_detector(**sizes)


def _refuse(options: Iterable[str], why: str) -> None:
    for name in options:
        raise UsageError(f"--{name.replace('_', '-')} is the detector's, and {why}: leave out one of them")
