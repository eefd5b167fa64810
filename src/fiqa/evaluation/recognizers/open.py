"""A recogniser from one line of text, as on the command line.

A kind of one's own, also of another package, is a frozen dataclass below :class:`RecognizerSpec`, decorated
with ``@RECOGNIZERS.register``: its fields are its options, and ``open`` makes the recogniser.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ... import specs
from ...errors import UsageError, require
from ...registry import Registry
from .flip_fusion import FlipFusion
from .onnx import OnnxRecognizer
from .precomputed import PrecomputedEmbeddings
from .types import Recognizer, preprocess_named


class RecognizerSpec:
    """One kind of file and its options, which are the fields of a dataclass below this.

    Attributes:
        name: of the kind.
        suffixes: of its files, such as ``(".onnx",)``, in lower case.
    """

    name: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]]

    def open(
        self, path: str, *, device: str = "auto", threads: int | None = None
    ) -> Recognizer | PrecomputedEmbeddings:
        """The recogniser in the file ``path``."""
        raise NotImplementedError


RECOGNIZERS: Registry[type[RecognizerSpec]] = Registry("recogniser", "fiqa.recognizers")


def open_recognizer(
    spec: str, *, device: str = "auto", threads: int | None = None
) -> Recognizer | PrecomputedEmbeddings:
    """Open ``FILE`` or ``FILE:option=value,…``.

    ``.onnx``: ``preprocess`` (half, unit, imagenet, raw), ``channels`` (rgb, bgr), ``output``, ``flip`` (yes,
    no), ``name``; ``.npz``: ``name``; ``.pt``, ``.pth``, ``.safetensors``: ``family`` (needed: arcface,
    elasticface, magface, curricularface, cr-fiqa), ``channels``, ``flip``, ``name``.

    Example: ``mobilefacenet.onnx:preprocess=imagenet,flip=yes`` or ``magface100.pth:family=magface``.

    Raises:
        UsageError: an option is unknown or lacks, or the file is of no known kind.
        DataError: what the kind of file raises.
    """
    file, text = (spec, "") if _exists(spec) else specs.split_file(spec)
    suffix = Path(file).suffix.lower()
    kind = next((one for one in RECOGNIZERS.values() if suffix in one.suffixes), None)
    if kind is None:
        known = ", ".join(suffix for one in RECOGNIZERS.values() for suffix in one.suffixes)
        raise UsageError(f"{file} is no recogniser: expected a file of {known}")
    given = specs.pairs(file, text, None)
    label = given.pop("name", None)
    values = specs.read(file, kind, ",".join(f"{key}={value}" for key, value in given.items()))
    recognizer = kind(**values).open(file, device=device, threads=threads)
    if label:
        recognizer.name = f"{label} + flip" if isinstance(recognizer, FlipFusion) else label
    return recognizer


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
    suffixes: ClassVar[tuple[str, ...]] = (".npz",)

    def open(self, path: str, *, device: str = "auto", threads: int | None = None) -> PrecomputedEmbeddings:
        return PrecomputedEmbeddings(path)


@RECOGNIZERS.register
@dataclass(frozen=True, kw_only=True)
class TorchFile(RecognizerSpec):
    """An IResNet or IR recogniser from a published checkpoint."""

    name: ClassVar[str] = "torch"
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
