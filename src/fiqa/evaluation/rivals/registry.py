"""The rivals by name: what each costs and needs, and a rival from one line of text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ... import specs
from ...errors import UsageError, unknown
from ..recognizers import PrecomputedEmbeddings, open_recognizer, preprocess_named
from .image import DetectorScore, Sharpness
from .recognition import CRFIQA, SERFIQ, EmbeddingNorm, GraFIQs, MirrorConsistency, OnnxQuality
from .types import Rival

Options = dict[str, str]


@dataclass(frozen=True, slots=True)
class RivalInfo:
    """One rival.

    Attributes:
        name: as in specs.
        summary: one line on what it measures.
        passes: cost in forward passes; a backward pass counts as two.
        needs: what the user brings: ``nothing``, ``recogniser`` (any), ``torch recogniser`` (an IResNet or IR
            checkpoint), ``onnx``, or ``faces`` (what the detector found in the source photo).
        source: the paper or standard.
        licence: of the weights that its authors hand out, as they state it; ours is the code.
        options: of the spec, with their defaults.
        build: from options to the rival; None where ``needs`` is ``faces``, which has no crops to score.
    """

    name: str
    summary: str
    passes: float
    needs: str
    source: str
    licence: str
    options: tuple[str, ...]
    build: Callable[[Options], Rival] | None


def _recognizer(options: Options, family: str | None = None) -> Any:
    # whatever the rival does not take for itself is the recogniser's
    options = dict(options)
    model = options.pop("model")
    if family is not None:
        options.setdefault("family", family)
    rest = ",".join(f"{key}={value}" for key, value in options.items())
    recognizer = open_recognizer(f"{model}:{rest}" if rest else model)
    if isinstance(recognizer, PrecomputedEmbeddings):
        raise UsageError(
            f"{model} holds embeddings, and this method must run the network: give the network's file"
        )
    return recognizer


def _torch_recognizer(options: Options, family: str | None = None) -> Any:
    if options["model"].lower().endswith((".onnx", ".npz")):
        raise UsageError(
            f"{options['model']} cannot be looked into: expected a .pt, .pth or .safetensors file"
        )
    if options.get("flip") == "yes":
        raise UsageError("flip=yes does not go with this method: it looks into one pass of the network")
    return _recognizer(options, family)


def _number(options: Options, key: str, default: float) -> float:
    text = options.pop(key, str(default))
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"{key} must be a number, but got {text!r}") from None


def _ser_fiq(options: Options) -> Rival:
    n_samples, rate = int(_number(options, "m", 100)), _number(options, "rate", 0.5)
    return SERFIQ(_torch_recognizer(options), n_samples, rate)


def _grafiqs(options: Options) -> Rival:
    level, wrt = options.pop("level", "block2"), options.pop("wrt", "weights")
    return GraFIQs(_torch_recognizer(options), level, wrt)


def _onnx(options: Options) -> Rival:
    preprocess = preprocess_named(options.pop("preprocess", "half"), options.pop("channels", "rgb"))
    sign = int(_number(options, "sign", 1))
    if sign not in (1, -1):
        raise UsageError(f"sign must be 1 or -1, but got {sign}")
    path, output, name = options.pop("model"), options.pop("output", None), options.pop("name", None)
    if options:
        raise unknown(
            "option", next(iter(options)), ("model", "preprocess", "channels", "output", "sign", "name")
        )
    return OnnxQuality(path, preprocess, output, name=name, sign=sign)


def _detector_score() -> Rival:
    from ...faces.sources import default_detector

    return DetectorScore(default_detector().detect, "mtcnn")


_TORCH = "torch recogniser"
_USERS = "of the recogniser you bring"
RIVALS: dict[str, RivalInfo] = {
    info.name: info
    for info in (
        RivalInfo(
            "magface",
            "length of a MagFace embedding",
            1,
            _TORCH,
            "MagFace, CVPR 2021",
            "Apache-2.0 (github.com/IrvingMeng/MagFace)",
            ("model",),
            lambda options: EmbeddingNorm(_torch_recognizer(options, "magface"), "magface"),
        ),
        RivalInfo(
            "embedding-norm",
            "length of the embedding of any recogniser",
            1,
            "recogniser",
            "in wide use; MagFace, CVPR 2021, trains it",
            _USERS,
            ("model",),
            lambda options: EmbeddingNorm(_recognizer(options), options.get("name")),
        ),
        RivalInfo(
            "mirror",
            "cosine between the embeddings of the crop and of its mirror image",
            2,
            "recogniser",
            "in wide use",
            _USERS,
            ("model",),
            lambda options: MirrorConsistency(_recognizer(options), options.get("name")),
        ),
        RivalInfo(
            "cr-fiqa",
            "regressed certainty ratio",
            1,
            _TORCH,
            "CR-FIQA, CVPR 2023",
            "CC BY-NC-SA 4.0 (github.com/fdbtrs/CR-FIQA)",
            ("model",),
            lambda options: CRFIQA(_torch_recognizer(options, "cr-fiqa")),
        ),
        RivalInfo(
            "grafiqs",
            "gradient magnitude of the BatchNorm-statistics loss",
            3,
            _TORCH,
            "GraFIQs, CVPRW 2024, arXiv 2404.12203",
            _USERS,
            ("model", "level=block2", "wrt=weights"),
            _grafiqs,
        ),
        RivalInfo(
            "ser-fiq",
            "agreement of random sub-networks",
            1.2,
            _TORCH,
            "SER-FIQ, CVPR 2020, arXiv 2003.09373",
            _USERS,
            ("model", "m=100", "rate=0.5"),
            _ser_fiq,
        ),
        RivalInfo(
            "onnx",
            "any ONNX network that gives one number a crop, such as eDifFIQA",
            1,
            "onnx",
            "eDifFIQA, TBIOM 2024; its tiny variant is in the OpenCV model zoo",
            "of the network you bring",
            ("model", "preprocess=half", "channels=rgb", "output", "sign=1", "name"),
            _onnx,
        ),
        RivalInfo(
            "sharpness",
            "variance of the Laplacian of the crop",
            0,
            "nothing",
            "Pech-Pacheco et al., ICPR 2000",
            "no weights",
            (),
            lambda options: Sharpness(),
        ),
        RivalInfo(
            "face-size",
            "distance between the eyes in the source photo, in pixels",
            0,
            "faces",
            "ISO/IEC 29794-5",
            "no weights",
            (),
            None,
        ),
        RivalInfo(
            "detector-score",
            "confidence of the default face detector, asked again on the crop",
            1,
            "nothing",
            "in wide use",
            "MIT (MTCNN)",
            (),
            lambda options: _detector_score(),
        ),
    )
}


def open_rival(spec: str) -> Rival:
    """A rival on crops from ``name`` or ``name:option=value,…``.

    Options that a rival does not list go to its recogniser (see ``open_recognizer``), for example
    ``mirror:model=edgeface_xs.onnx``, ``ser-fiq:model=r100.pt,family=arcface,m=50``, ``magface:model=m.pth``,
    ``onnx:model=ediffiqa_t.onnx``.

    Raises UnknownName for another name and UsageError for options that are missing or not allowed.
    """
    name, text = specs.split(spec)
    if name not in RIVALS:
        raise unknown("rival", name, RIVALS)
    info = RIVALS[name]
    if info.build is None:
        raise UsageError(f"{name} is measured on the detected face in the source photo, not on crops")
    options = specs.pairs(name, text, None)  # those it does not list are its recogniser's
    if "model" in info.options and "model" not in options:
        raise UsageError(f"{name} needs a network ({info.needs}): write '{name}:model=FILE'")
    if not info.options and options:
        raise UsageError(f"{name} has no options, but got {text!r}")
    return info.build(options)
