"""A recogniser from one line of text, as on the command line."""

from __future__ import annotations

from pathlib import Path

from ... import specs
from ...errors import UsageError, require
from .flip_fusion import FlipFusion
from .onnx import OnnxRecognizer
from .precomputed import PrecomputedEmbeddings
from .types import Recognizer, preprocess_named

_OPTIONS = {
    ".onnx": ("preprocess", "channels", "output", "flip", "name"),
    ".npz": ("name",),
    "torch": ("family", "channels", "flip", "name"),
}


def open_recognizer(
    spec: str, *, device: str = "auto", threads: int | None = None
) -> Recognizer | PrecomputedEmbeddings:
    """Open ``FILE`` or ``FILE:option=value,…``.

    ``.onnx``: ``preprocess`` (half, unit, imagenet, raw), ``channels`` (rgb, bgr), ``output``, ``flip`` (yes,
    no), ``name``; ``.npz``: ``name``; ``.pt``, ``.pth``, ``.safetensors``: ``family`` (needed: arcface,
    elasticface, magface, curricularface, cr-fiqa), ``channels``, ``flip``, ``name``.

    Example: ``mobilefacenet.onnx:preprocess=imagenet,flip=yes`` or ``magface100.pth:family=magface``.

    Raises UsageError for an option that is unknown or lacks, and what the kind of file raises.
    """
    file, text = (spec, "") if Path(spec).exists() else specs.split_file(spec)
    suffix = Path(file).suffix.lower()
    options = specs.pairs(file, text, _OPTIONS.get(suffix, _OPTIONS["torch"]))
    name = options.get("name")
    if suffix == ".npz":
        return PrecomputedEmbeddings(file, name)
    flip = options.get("flip", "no")
    if flip not in ("yes", "no"):
        raise UsageError(f"flip must be 'yes' or 'no', but got {flip!r}")
    channels = options.get("channels", "rgb")
    recognizer: Recognizer
    if suffix == ".onnx":
        preprocess = preprocess_named(options.get("preprocess", "half"), channels)
        recognizer = OnnxRecognizer(file, preprocess, options.get("output"), threads, name)
    elif suffix in (".pt", ".pth", ".safetensors"):
        if "family" not in options:
            raise UsageError(
                f"{file} needs its family, which its keys do not tell: write '{file}:family=arcface' (or "
                "elasticface, magface, curricularface, cr-fiqa)"
            )
        require("torch", "torch", f"the recogniser {file}")
        from .torch_recognizer import TorchRecognizer

        recognizer = TorchRecognizer(file, options["family"], channels=channels, device=device, name=name)
    else:
        raise UsageError(f"{file} is no recogniser: expected .onnx, .npz, .pt, .pth or .safetensors")
    return FlipFusion(recognizer) if flip == "yes" else recognizer
