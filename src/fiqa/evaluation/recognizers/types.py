"""What a recogniser is: face crops in, embeddings out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ...errors import UsageError, unknown
from ...types import FloatArray, ImageArray, check_crops


class Recognizer(Protocol):
    """Anything that turns aligned crops into embeddings.

    Attributes:
        name: what reports call it.
        identity: a text that changes whenever its output would, for caches: weights, preprocessing, output.
    """

    name: str
    identity: str

    def embed(self, crops: ImageArray) -> FloatArray:
        """Embeddings (B, D) float32, not normalised, of crops (B, 112, 112, 3) uint8 RGB."""
        ...


@dataclass(frozen=True, slots=True)
class Preprocess:
    """From pixels to a network's input: (x / 255 − mean) / std a channel, in the network's channel order.

    Attributes:
        mean, std: one value a channel, in the network's channel order.
        channels: ``"rgb"`` or ``"bgr"``, the order the network was trained on. Crops are always RGB.
    """

    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)
    channels: str = "rgb"

    def __post_init__(self) -> None:
        if self.channels not in ("rgb", "bgr"):
            raise UsageError(f"channels must be 'rgb' or 'bgr', but got {self.channels!r}")
        if min(self.std) <= 0:
            raise UsageError(f"std must be positive, but got {self.std}")

    def __call__(self, crops: ImageArray) -> FloatArray:
        """(B, 3, H, W) float32 from (B, H, W, 3) uint8 RGB."""
        ordered = check_crops(crops)[..., ::-1] if self.channels == "bgr" else check_crops(crops)
        scale = (1 / (255 * np.array(self.std))).astype(np.float32)
        shift = (np.array(self.mean) / np.array(self.std)).astype(np.float32)
        return np.ascontiguousarray((ordered * scale - shift).transpose(0, 3, 1, 2))


PREPROCESS = {
    "half": Preprocess(),
    "unit": Preprocess((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "imagenet": Preprocess((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "raw": Preprocess((0.0, 0.0, 0.0), (1 / 255, 1 / 255, 1 / 255)),
}
"""By name: ``half`` (x/255 − 0.5)/0.5, ``unit`` x/255, ``imagenet`` its mean and std, ``raw`` 0…255."""


def preprocess_named(name: str, channels: str = "rgb") -> Preprocess:
    """One of ``PREPROCESS``, for networks trained on this channel order."""
    if name not in PREPROCESS:
        raise unknown("preprocessing", name, PREPROCESS)
    return Preprocess(PREPROCESS[name].mean, PREPROCESS[name].std, channels)
