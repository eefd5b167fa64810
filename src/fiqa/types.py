"""The values that cross the seams of the library: frozen, validated, each with shape, unit and direction."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import DataError, UsageError

FloatArray = NDArray[np.float32]
ImageArray = NDArray[np.uint8]

CROP_SIZE = 112
CROP_SHAPE = (CROP_SIZE, CROP_SIZE, 3)  # of a crop: rows, columns, RGB

STATUSES = ("ok", "no_face", "unreadable", "too_large", "missing")


@dataclass(frozen=True, slots=True)
class Face:
    """One detected face.

    Attributes:
        box: (left, top, right, bottom) in pixels of the upright image.
        landmarks: (5, 2) float32, x then y in pixels: left eye, right eye, nose tip, left and right mouth
            corner, left and right as seen in the image.
        confidence: the detector's own score in [0, 1], higher = surer.
    """

    box: tuple[float, float, float, float]
    landmarks: FloatArray
    confidence: float = 1.0

    def __post_init__(self) -> None:
        landmarks = np.asarray(self.landmarks, dtype=np.float32)
        if landmarks.shape != (5, 2) or not np.isfinite(landmarks).all():
            raise UsageError(f"landmarks must be five finite (x, y) points, but got shape {landmarks.shape}")
        object.__setattr__(self, "landmarks", landmarks)

    @property
    def area(self) -> float:
        """Area of the box in square pixels."""
        left, top, right, bottom = self.box
        return max(0.0, right - left) * max(0.0, bottom - top)


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What is known of a network beside its weights; travels with them and inside exported graphs.

    Attributes:
        name: preset or file name.
        depth: L, the number of blocks.
        grid: (rows, columns) of the patch grid.
        width, heads: D and H; 0 if unknown.
        exits: whether the network regresses a quality at every block (ViT-FIQA).
        embedding: length of the recognition embedding; 0 if it has none.
        gflops: cost of one crop (2 × multiply-adds) up to and including each block; empty if unknown.
        defaults: method name → spec that this model is best used with, for example
            ``{"vitnt": "vitnt:blocks=0-19"}``.
        score: the spec whose calibrated value is the 0–100 score.
        source, licence: where the weights come from and under which terms.
        sha256: of the weights' file; empty if unknown.
        notes: one or two sentences for people.
    """

    name: str
    depth: int
    grid: tuple[int, int]
    width: int = 0
    heads: int = 0
    exits: bool = False
    embedding: int = 0
    gflops: tuple[float, ...] = ()
    defaults: Mapping[str, str] = field(default_factory=dict)
    score: str = ""
    source: str = ""
    licence: str = ""
    sha256: str = ""
    notes: str = ""

    def __post_init__(self) -> None:
        if self.depth < 1 or len(self.grid) != 2 or min(self.grid) < 1:
            raise UsageError(f"a model has at least one block and one patch, but got {self!r}")
        if self.gflops and len(self.gflops) != self.depth:
            raise UsageError(f"gflops must have one value a block ({self.depth}), but got {len(self.gflops)}")

    def to_json(self) -> str:
        """The card as one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> ModelCard:
        """The inverse of :meth:`to_json`; DataError if the text is no card."""
        try:
            values = json.loads(text)
            known = {f.name for f in fields(cls)}
            values = {name: value for name, value in values.items() if name in known}
            for name in ("grid", "gflops"):
                if name in values:
                    values[name] = tuple(values[name])
            return cls(**values)
        except (ValueError, TypeError, AttributeError) as error:
            raise DataError(f"this is no model card: {error}") from error


@dataclass(frozen=True, slots=True)
class Quality:
    """The result for one face, or for one input that gave none.

    Attributes:
        status: ``"ok"``, ``"no_face"``, ``"unreadable"``, ``"too_large"`` or ``"missing"``.
        score: calibrated quality in [0, 100], higher = better; None unless ``ok``, and None for a model that
            has no calibration profile.
        raw: method spec as given → the paper's own number, higher = better.
        reason: one sentence on why there is no score; empty if there is one.
        path: the input's path, if it had one.
        face: where the face is in the upright photo; None for an input that was already a crop.
        face_index: 0 for the largest face, 1 for the next, …
        used: method spec as given → the fully resolved spec that was run (settings, and depth in a budget).
        maps: method spec as given → (rows, columns) float32 patch map, higher = more useful.
        embedding: (E,) float32 recognition embedding, not normalised, if it was asked for.
        crop: the (112, 112, 3) uint8 RGB crop that was scored.
    """

    status: str
    score: float | None = None
    raw: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""
    path: str | None = None
    face: Face | None = None
    face_index: int = 0
    used: Mapping[str, str] = field(default_factory=dict)
    maps: Mapping[str, FloatArray] = field(default_factory=dict, repr=False)
    embedding: FloatArray | None = field(default=None, repr=False, compare=False)
    crop: ImageArray | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise UsageError(f"status must be one of {', '.join(STATUSES)}, but got {self.status!r}")
        if self.score is not None and not 0 <= self.score <= 100:
            raise UsageError(f"score must be in [0, 100], but got {self.score}")

    @property
    def ok(self) -> bool:
        """Whether the face was scored."""
        return self.status == "ok"

    def patch_map(self, method: str) -> FloatArray:
        """(rows, columns) float32 map of a method, higher = more useful; UsageError if it has none."""
        try:
            return self.maps[method]
        except KeyError:
            have = ", ".join(self.maps) or "none"
            raise UsageError(f"no patch map of {method!r} here; maps: {have}") from None


def check_crops(crops: Any) -> ImageArray:
    """``crops`` as uint8 (B, 112, 112, 3), or UsageError with what was got instead."""
    array = np.asarray(crops)
    if array.dtype != np.uint8 or array.ndim != 4 or array.shape[1:] != CROP_SHAPE:
        raise UsageError(
            f"crops must be uint8 of shape (B, 112, 112, 3), RGB, but got {array.dtype} {array.shape}"
        )
    return array
