"""Measures taken from a recognition network, each written from its paper."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...errors import DataError
from ...types import FloatArray, ImageArray
from ..recognizers import OnnxNetwork, Preprocess, Recognizer

if TYPE_CHECKING:
    from ..recognizers import TorchRecognizer


class EmbeddingNorm:
    """Length of the embedding. MagFace (Meng et al., CVPR 2021) trains it to be a quality; most networks'
    length follows quality without that."""

    passes = 1.0

    def __init__(self, recognizer: Recognizer, name: str | None = None) -> None:
        self._recognizer = recognizer
        self.name = name or f"norm of {recognizer.name}"
        self.identity = f"embedding-norm:{recognizer.identity}"

    def score_crops(self, crops: ImageArray) -> FloatArray:
        """Quality (B,) float32 ≥ 0, higher = better, of crops (B, 112, 112, 3) uint8 RGB."""
        norms: FloatArray = np.linalg.norm(self._recognizer.embed(crops), axis=1).astype(np.float32)
        return norms


class MirrorConsistency:
    """Cosine between the embeddings of the crop and of its mirror image: a good face changes little."""

    passes = 2.0

    def __init__(self, recognizer: Recognizer, name: str | None = None) -> None:
        self._recognizer = recognizer
        self.name = name or f"mirror of {recognizer.name}"
        self.identity = f"mirror:{recognizer.identity}"

    def score_crops(self, crops: ImageArray) -> FloatArray:
        """Quality (B,) float32 in [−1, 1], higher = better, of crops (B, 112, 112, 3) uint8 RGB."""
        one = _unit(self._recognizer.embed(crops))
        other = _unit(self._recognizer.embed(np.ascontiguousarray(crops[:, :, ::-1])))
        cosine: FloatArray = (one * other).sum(axis=1)
        return cosine


class SERFIQ:
    """Agreement of random sub-networks (SER-FIQ, Terhörst et al., CVPR 2020).

    m = ``n_samples`` sub-networks, made by dropout before the last fully connected layer, embed the face;
    with unit embeddings x and Euclidean distance d, quality = 2·σ(−(2/m²)·Σ_{i<j} d(x_i, x_j)).
    """

    # The network runs once and only its last layer m times. Measured on one core, IResNet-100, m = 100: 1.2
    # times the time of an embedding.
    passes = 1.2

    def __init__(
        self, recognizer: TorchRecognizer, n_samples: int = 100, rate: float = 0.5, seed: int = 0
    ) -> None:
        self._recognizer = recognizer
        self._settings = (n_samples, rate, seed)
        self.name = "ser-fiq"
        self.identity = f"ser-fiq:{n_samples}:{rate}:{seed}:{recognizer.identity}"

    def score_crops(self, crops: ImageArray) -> FloatArray:
        """Quality (B,) float32 in (0, 1], higher = better, of crops (B, 112, 112, 3) uint8 RGB."""
        return dropout_agreement(self._recognizer.dropout_embeddings(crops, *self._settings))


def dropout_agreement(embeddings: FloatArray) -> FloatArray:
    """SER-FIQ's quality (B,) from sub-network embeddings (B, m, D)."""
    unit = _unit(embeddings)
    n = unit.shape[1]
    cosine = np.einsum("bid,bjd->bij", unit, unit)
    # of unit vectors d² = 2 − 2·cos; each pair i < j occurs twice in the full matrix, the diagonal is 0
    distance = np.sqrt(np.maximum(2 - 2 * cosine, 0))
    distance[:, np.arange(n), np.arange(n)] = 0
    mean = distance.sum(axis=(1, 2)) / n**2
    quality: FloatArray = (2 / (1 + np.exp(mean))).astype(np.float32)
    return quality


class GraFIQs:
    """How little a network would have to change for the face (GraFIQs, Kolf et al., CVPRW 2024).

    The loss compares each BatchNorm layer's statistics on this one face with those of training; quality is
    **minus** the sum of the absolute gradients of that loss, so that higher = better. ``level`` and ``wrt``
    are those of ``TorchRecognizer.statistics_gradient``; which level is best depends on network and faces.
    """

    passes = 3.0  # a forward and a backward pass

    def __init__(self, recognizer: TorchRecognizer, level: str = "block2", wrt: str = "weights") -> None:
        self._recognizer = recognizer
        self._settings = (level, wrt)
        self.name = "grafiqs"
        self.identity = f"grafiqs:{level}:{wrt}:{recognizer.identity}"

    def score_crops(self, crops: ImageArray) -> FloatArray:
        """Quality (B,) float32 ≤ 0, higher = better, of crops (B, 112, 112, 3) uint8 RGB."""
        return -self._recognizer.statistics_gradient(crops, *self._settings)


class CRFIQA:
    """Regressed ratio of certainties (CR-FIQA, Boutros et al., CVPR 2023): the head of its checkpoint."""

    passes = 1.0

    def __init__(self, recognizer: TorchRecognizer) -> None:
        self._recognizer = recognizer
        self.name = "cr-fiqa"
        self.identity = f"cr-fiqa:{recognizer.identity}"

    def score_crops(self, crops: ImageArray) -> FloatArray:
        """Quality (B,) float32, higher = better, of crops (B, 112, 112, 3) uint8 RGB."""
        return self._recognizer.quality(crops)


class OnnxQuality:
    """Any ONNX network that gives one number a crop: eDifFIQA (Babnik et al., TBIOM 2024) and others.

    Args as of ``OnnxNetwork``; ``sign`` is −1 for a network whose lower is better.
    """

    passes = 1.0

    def __init__(
        self,
        path: str | Path,
        preprocess: Preprocess | None = None,
        output: str | None = None,
        threads: int | None = None,
        name: str | None = None,
        sign: int = 1,
    ) -> None:
        self._network = OnnxNetwork(path, preprocess, output, threads)
        self._sign = np.float32(sign)
        self.name = name or Path(path).stem
        self.identity = f"quality:{sign}:{self._network.identity}"

    def score_crops(self, crops: ImageArray) -> FloatArray:
        """Quality (B,) float32, higher = better, of crops (B, 112, 112, 3) uint8 RGB."""
        result = self._network(crops)
        if result.size != len(crops):
            raise DataError(
                f"{self._network.path} gives {result.shape[1:]} numbers a crop: expected one; "
                "choose the quality with output=NAME"
            )
        return self._sign * result.reshape(-1)


def _unit(x: FloatArray) -> FloatArray:
    unit: FloatArray = x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), np.float32(1e-12))
    return unit
