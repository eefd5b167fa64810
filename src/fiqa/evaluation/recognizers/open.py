"""A recogniser from one line of text, as on the command line.

A kind of one's own, also of another package, is a frozen dataclass below :class:`RecognizerSpec`, decorated
with ``@RECOGNIZERS.register``: its fields are its options, and ``open`` makes the recogniser.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ... import specs
from ...errors import DataError, UsageError, require
from ...registry import Registry
from .flip_fusion import FlipFusion
from .onnx import OnnxRecognizer
from .precomputed import PrecomputedEmbeddings
from .types import Recognizer, preprocess_named


class RecognizerSpec:
    """One kind of file and its options, which are the fields of a dataclass below this.

    Attributes:
        name: of the kind.
        summary: one line on what it is.
        suffixes: of its files, such as ``(".onnx",)``, in lower case; none: it reads no file and is chosen by
            its name, as in ``name:option=value``.
    """

    name: ClassVar[str]
    summary: ClassVar[str] = ""
    suffixes: ClassVar[tuple[str, ...]] = ()

    def open(
        self, path: str, *, device: str = "auto", threads: int | None = None
    ) -> Recognizer | PrecomputedEmbeddings:
        """The recogniser in the file ``path``; of a kind without files, the path is its name."""
        raise NotImplementedError


RECOGNIZERS: Registry[type[RecognizerSpec]] = Registry("recogniser", "fiqa.recognizers", RecognizerSpec)


def open_recognizer(
    spec: str, *, device: str = "auto", threads: int | None = None
) -> Recognizer | PrecomputedEmbeddings:
    """Open ``FILE`` or ``FILE:option=value,…``, or ``NAME:option=value,…`` of a kind that reads no file.

    ``.onnx``: ``preprocess`` (half, unit, imagenet, raw), ``channels`` (rgb, bgr), ``output``, ``flip`` (yes,
    no), ``name``; ``.npz``: ``name``; ``.pt``, ``.pth``, ``.safetensors``: ``family`` (needed: arcface,
    elasticface, magface, curricularface, cr-fiqa), ``channels``, ``flip``, ``name``.

    Example: ``mobilefacenet.onnx:preprocess=imagenet,flip=yes`` or ``magface100.pth:family=magface``.

    Raises:
        UsageError: an option is unknown or lacks, or the file is of no known kind.
        DataError: what the kind of file raises.
    """
    file, text = (spec, "") if _exists(spec) else specs.split_file(spec)
    kind = _kind_of(file)
    given = specs.pairs(file, text, None)
    label = given.pop("name", None)
    options = ",".join(f"{key}={value}" for key, value in given.items())
    recognizer = specs.make(file, kind, options).open(file, device=device, threads=threads)
    if label:
        recognizer.name = f"{label} + flip" if isinstance(recognizer, FlipFusion) else label
    return recognizer


def _kind_of(file: str) -> type[RecognizerSpec]:
    """The kind that reads a file of this ending, or that has this name and reads none."""
    suffix = Path(file).suffix.lower()
    for kind in RECOGNIZERS.values():
        if suffix in kind.suffixes or (not kind.suffixes and file == kind.name):
            return kind
    if file in RECOGNIZERS.broken:
        raise DataError(RECOGNIZERS.broken[file])
    files = ", ".join(suffix for kind in RECOGNIZERS.values() for suffix in kind.suffixes)
    others = "".join(f", or {kind.name}" for kind in RECOGNIZERS.values() if not kind.suffixes)
    raise UsageError(f"{file} is no recogniser: expected a file of {files}{others}")


def _exists(text: str) -> bool:
    try:
        return Path(text).exists()
    except OSError:  # a name of more than 255 bytes
        return False


@RECOGNIZERS.register
@dataclass(frozen=True, kw_only=True)
class OnnxFile(RecognizerSpec):
    """Any recogniser as an ONNX network."""

    name: ClassVar[str] = "onnx"
    summary: ClassVar[str] = "any recogniser as an ONNX network"
    suffixes: ClassVar[tuple[str, ...]] = (".onnx",)

    preprocess: str = specs.option("half")
    channels: str = specs.one_of("rgb", ("rgb", "bgr"))
    output: str = specs.option("")
    flip: str = specs.one_of("no", ("yes", "no"))

    def open(self, path: str, *, device: str = "auto", threads: int | None = None) -> Recognizer:
        preprocess = preprocess_named(self.preprocess, self.channels)
        found = OnnxRecognizer(path, preprocess, self.output or None, threads)
        return FlipFusion(found) if self.flip == "yes" else found


@RECOGNIZERS.register
@dataclass(frozen=True, kw_only=True)
class NpzFile(RecognizerSpec):
    """Embeddings that were computed elsewhere."""

    name: ClassVar[str] = "npz"
    summary: ClassVar[str] = "embeddings that were computed elsewhere"
    suffixes: ClassVar[tuple[str, ...]] = (".npz",)

    def open(self, path: str, *, device: str = "auto", threads: int | None = None) -> PrecomputedEmbeddings:
        return PrecomputedEmbeddings(path)


@RECOGNIZERS.register
@dataclass(frozen=True, kw_only=True)
class TorchFile(RecognizerSpec):
    """An IResNet or IR recogniser from a published checkpoint."""

    name: ClassVar[str] = "torch"
    summary: ClassVar[str] = "an IResNet or IR recogniser from a published checkpoint"
    suffixes: ClassVar[tuple[str, ...]] = (".pt", ".pth", ".safetensors")

    family: str = specs.option("")
    channels: str = specs.one_of("rgb", ("rgb", "bgr"))
    flip: str = specs.one_of("no", ("yes", "no"))

    def open(self, path: str, *, device: str = "auto", threads: int | None = None) -> Recognizer:
        if not self.family:
            raise UsageError(
                f"{path} needs its family, which its keys do not tell: write '{path}:family=arcface' (or "
                "elasticface, magface, curricularface, cr-fiqa)"
            )
        require("torch", "torch", f"the recogniser {path}")
        from .torch_recognizer import TorchRecognizer

        found = TorchRecognizer(path, self.family, channels=self.channels, device=device)
        return FlipFusion(found) if self.flip == "yes" else found
