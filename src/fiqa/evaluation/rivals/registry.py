"""The rivals by name: what each costs and needs, and a rival from one line of text.

A rival of one's own, also of another package, is a frozen dataclass below :class:`RivalSpec`, decorated with
``@RIVALS.register``: its fields are its options (:func:`fiqa.specs.option`), and ``open`` makes the rival.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar

from ... import specs
from ...errors import UsageError
from ...measures import CROP_MEASURES
from ...registry import Registry
from ..recognizers import PrecomputedEmbeddings, Recognizer, open_recognizer, preprocess_named
from .image import DetectorScore, Sharpness
from .recognition import CRFIQA, SERFIQ, EmbeddingNorm, GraFIQs, MirrorConsistency, OnnxQuality
from .types import Rival

if TYPE_CHECKING:
    from ..recognizers import TorchRecognizer

_USERS = "of the recogniser you bring"


class RivalSpec:
    """One rival and its options, which are the fields of a dataclass below this.

    Attributes:
        name: as in specs.
        summary: one line on what it measures.
        passes: cost in forward passes; a backward pass counts as two.
        needs: what the user brings: ``nothing``, ``recogniser`` (any), ``torch recogniser`` (an IResNet or IR
            checkpoint), ``onnx``, or ``faces`` (what the detector found in the source photo).
        source: the paper or standard.
        licence: of the weights that its authors hand out, as they state it; ours is the code.
    """

    name: ClassVar[str]
    summary: ClassVar[str] = ""
    passes: ClassVar[float] = 1
    needs: ClassVar[str] = "nothing"
    source: ClassVar[str] = ""
    licence: ClassVar[str] = "no weights"

    def open(self) -> Rival:
        """The rival on crops."""
        raise NotImplementedError

    @classmethod
    def options(cls) -> tuple[str, ...]:
        """The options with their defaults, as on the command line."""
        return tuple(f"{f.name}={f.default}" if _has_default(f) else f.name for f in fields(cls))  # type: ignore[arg-type]


def _has_default(option: Any) -> bool:
    return option.default is not MISSING and option.default != ""


RIVALS: Registry[type[RivalSpec]] = Registry("rival", "fiqa.rivals", RivalSpec)


def open_rival(spec: str) -> Rival:
    """A rival on crops from ``name`` or ``name:option=value,…``, as listed in ``RIVALS``.

    The option ``name``, which all have, is what tables call it. For example
    ``mirror:model=edgeface_xs.onnx``, ``ser-fiq:model=r100.pt,family=arcface,m=50``, ``magface:model=m.pth``,
    ``onnx:model=ediffiqa_t.onnx``.

    Raises:
        UnknownName: there is no such rival or option.
        UsageError: an option is missing or not allowed.
    """
    kind_name, text = specs.split(spec)
    kind = RIVALS.find(kind_name)
    given = specs.pairs(kind_name, text, None)
    label = given.pop("name", None)
    values = specs.read(kind_name, kind, ",".join(f"{key}={value}" for key, value in given.items()))
    missing = [f.name for f in fields(kind) if f.default is MISSING and f.name not in values]  # type: ignore[arg-type]
    if missing:
        raise UsageError(f"{kind_name} needs a network ({kind.needs}): write '{kind_name}:{missing[0]}=FILE'")
    rival = kind(**values).open()
    if label:
        rival.name = label
    return rival


# --- from a recogniser --------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _OfRecognizer(RivalSpec):
    """A rival that runs a recogniser; what it does not take for itself are the recogniser's options."""

    model: str = specs.option(expects="a file")
    family: str = specs.option("")
    preprocess: str = specs.option("")
    channels: str = specs.option("")
    output: str = specs.option("")
    flip: str = specs.option("")

    needs: ClassVar[str] = "recogniser"
    licence: ClassVar[str] = _USERS

    def recognizer(self, family: str = "") -> Recognizer:
        own = {"family": self.family or family} | {
            key: getattr(self, key) for key in ("preprocess", "channels", "output", "flip")
        }
        options = ",".join(f"{key}={value}" for key, value in own.items() if value)
        recognizer = open_recognizer(f"{self.model}:{options}" if options else self.model)
        if isinstance(recognizer, PrecomputedEmbeddings):
            raise UsageError(
                f"{self.model} holds embeddings, and this method must run the network: give the "
                "network's file"
            )
        return recognizer


@dataclass(frozen=True, kw_only=True)
class _OfTorchRecognizer(_OfRecognizer):
    """A rival that looks into the network."""

    needs: ClassVar[str] = "torch recogniser"

    def looked_into(self, family: str = "") -> TorchRecognizer:
        if self.model.lower().endswith((".onnx", ".npz")):
            raise UsageError(f"{self.model} can't be looked into: expected a .pt, .pth or .safetensors file")
        if self.flip == "yes":
            raise UsageError("flip=yes does not go with this method: it looks into one pass of the network")
        return self.recognizer(family)  # type: ignore[return-value]  # such a file gives no other


@RIVALS.register
@dataclass(frozen=True, kw_only=True)
class MagFace(_OfTorchRecognizer):
    name: ClassVar[str] = "magface"
    summary: ClassVar[str] = "length of a MagFace embedding"
    source: ClassVar[str] = "MagFace, CVPR 2021"
    licence: ClassVar[str] = "Apache-2.0 (github.com/IrvingMeng/MagFace)"

    def open(self) -> Rival:
        return EmbeddingNorm(self.looked_into("magface"), "magface")


@RIVALS.register
@dataclass(frozen=True, kw_only=True)
class Norm(_OfRecognizer):
    name: ClassVar[str] = "embedding-norm"
    summary: ClassVar[str] = "length of the embedding of any recogniser"
    source: ClassVar[str] = "in wide use; MagFace, CVPR 2021, trains it"

    def open(self) -> Rival:
        return EmbeddingNorm(self.recognizer())


@RIVALS.register
@dataclass(frozen=True, kw_only=True)
class Mirror(_OfRecognizer):
    name: ClassVar[str] = "mirror"
    summary: ClassVar[str] = "cosine between the embeddings of the crop and of its mirror image"
    passes: ClassVar[float] = MirrorConsistency.passes
    source: ClassVar[str] = "in wide use"

    def open(self) -> Rival:
        return MirrorConsistency(self.recognizer())


@RIVALS.register
@dataclass(frozen=True, kw_only=True)
class CrFiqa(_OfTorchRecognizer):
    name: ClassVar[str] = "cr-fiqa"
    summary: ClassVar[str] = "regressed certainty ratio"
    source: ClassVar[str] = "CR-FIQA, CVPR 2023"
    licence: ClassVar[str] = "CC BY-NC-SA 4.0 (github.com/fdbtrs/CR-FIQA)"

    def open(self) -> Rival:
        return CRFIQA(self.looked_into("cr-fiqa"))


@RIVALS.register
@dataclass(frozen=True, kw_only=True)
class Grafiqs(_OfTorchRecognizer):
    name: ClassVar[str] = "grafiqs"
    summary: ClassVar[str] = "gradient magnitude of the BatchNorm-statistics loss"
    passes: ClassVar[float] = GraFIQs.passes
    source: ClassVar[str] = "GraFIQs, CVPRW 2024, arXiv 2404.12203"

    level: str = specs.option("block2")
    wrt: str = specs.option("weights")

    def open(self) -> Rival:
        return GraFIQs(self.looked_into(), self.level, self.wrt)


@RIVALS.register
@dataclass(frozen=True, kw_only=True)
class SerFiq(_OfTorchRecognizer):
    name: ClassVar[str] = "ser-fiq"
    summary: ClassVar[str] = "agreement of random sub-networks"
    passes: ClassVar[float] = SERFIQ.passes
    source: ClassVar[str] = "SER-FIQ, CVPR 2020, arXiv 2003.09373"

    m: int = specs.option(100, read=specs.whole, expects="a whole number")
    rate: float = specs.option(0.5, read=specs.number, expects="a number")

    def open(self) -> Rival:
        return SERFIQ(self.looked_into(), self.m, self.rate)


# --- from a quality network, from the crop alone ------------------------------------------------------------


@RIVALS.register
@dataclass(frozen=True, kw_only=True)
class Onnx(RivalSpec):
    name: ClassVar[str] = "onnx"
    summary: ClassVar[str] = "any ONNX network that gives one number per crop, such as eDifFIQA"
    needs: ClassVar[str] = "onnx"
    source: ClassVar[str] = "eDifFIQA, TBIOM 2024; its tiny variant is in the OpenCV model zoo"
    licence: ClassVar[str] = "of the network you bring"

    model: str = specs.option(expects="a file")
    preprocess: str = specs.option("half")
    channels: str = specs.one_of("rgb", ("rgb", "bgr"))
    output: str = specs.option("")
    sign: int = specs.option(1, read=specs.whole, expects="1 or -1")

    def open(self) -> Rival:
        if self.sign not in (1, -1):
            raise UsageError(f"sign must be 1 or -1, but got {self.sign}")
        preprocess = preprocess_named(self.preprocess, self.channels)
        return OnnxQuality(self.model, preprocess, self.output or None, sign=self.sign)


@RIVALS.register
@dataclass(frozen=True, kw_only=True)
class SharpCrop(RivalSpec):
    name: ClassVar[str] = "sharpness"
    summary: ClassVar[str] = CROP_MEASURES["sharpness"].summary
    passes: ClassVar[float] = 0
    source: ClassVar[str] = CROP_MEASURES["sharpness"].source

    def open(self) -> Rival:
        return Sharpness()


@RIVALS.register
@dataclass(frozen=True, kw_only=True)
class FaceSize(RivalSpec):
    name: ClassVar[str] = "face-size"
    summary: ClassVar[str] = CROP_MEASURES["face-size"].summary
    passes: ClassVar[float] = 0
    needs: ClassVar[str] = "faces"
    source: ClassVar[str] = CROP_MEASURES["face-size"].source

    def open(self) -> Rival:
        raise UsageError(f"{self.name} is measured on the detected face in the source photo, not on crops")


@RIVALS.register
@dataclass(frozen=True, kw_only=True)
class DetectorAgain(RivalSpec):
    name: ClassVar[str] = "detector-score"
    summary: ClassVar[str] = "confidence of the default face detector, asked again on the crop"
    source: ClassVar[str] = "in wide use"
    licence: ClassVar[str] = "MIT (MTCNN)"

    def open(self) -> Rival:
        from ...faces import default_detector

        return DetectorScore(default_detector().detect, "mtcnn")
