"""The values that cross the seams of the library: frozen, validated, each with shape, unit and direction."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import KW_ONLY, asdict, dataclass, field, fields, replace
from typing import Any, Literal, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from .errors import DataError, UsageError

V = TypeVar("V")
FloatArray = NDArray[np.float32]
ImageArray = NDArray[np.uint8]

CROP_SIZE = 112
CROP_SHAPE = (CROP_SIZE, CROP_SIZE, 3)  # of a crop: rows, columns, RGB
# Where eyes, nose tip and mouth corners lie in a crop, x then y: J. Deng et al., ArcFace, CVPR 2019.
TEMPLATE: FloatArray = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]],
    dtype=np.float32,
)

Status = Literal["ok", "no_face", "unreadable", "too_large", "missing", "failed"]
STATUSES: tuple[str, ...] = get_args(Status)
ROTATIONS = (0, 90, 180, 270)  # degrees clockwise
MOST_BLOCKS = 1000  # what lists one entry per block must not fill the memory for a card that lies
_MOST_CELLS = 1000  # of the patch grid, per side
_MOST_UNITS = 10**6


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One face in a photo; two are equal if all that is known of them is.

    Attributes:
        box: (left, top, right, bottom) in pixels of the upright image.
        landmarks: (5, 2) float32, x then y in pixels: left eye, right eye, nose tip, left and right mouth
            corner, left and right as seen where the face stands upright.
        confidence: the detector's own score in [0, 1], higher = surer.
        rotation: by how many degrees the upright image has to be turned clockwise for this face to stand
            upright: 0, 90, 180 or 270. Box and landmarks are those of the image before it is turned.
    """

    box: tuple[float, float, float, float]
    landmarks: FloatArray
    confidence: float = 1.0
    rotation: int = field(default=0, kw_only=True)

    def __post_init__(self) -> None:
        landmarks = np.asarray(self.landmarks, dtype=np.float32)
        if landmarks.shape != (5, 2) or not np.isfinite(landmarks).all():
            raise UsageError(f"landmarks must be five finite (x, y) points, but got shape {landmarks.shape}")
        box = tuple(float(side) for side in self.box)
        if len(box) != 4 or not np.isfinite(box).all() or box[0] > box[2] or box[1] > box[3]:
            raise UsageError(f"box must be finite (left, top, right, bottom), but got {self.box}")
        if not 0 <= self.confidence <= 1:
            raise UsageError(f"confidence must be in [0, 1], but got {self.confidence}")
        if self.rotation not in ROTATIONS:
            raise UsageError(f"rotation must be 0, 90, 180 or 270 degrees, but got {self.rotation!r}")
        object.__setattr__(self, "box", box)
        object.__setattr__(self, "landmarks", landmarks)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Face) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash((self.box, self.confidence))

    @property
    def area(self) -> float:
        """Area of the box in square pixels."""
        left, top, right, bottom = self.box
        return (right - left) * (bottom - top)

    @property
    def eye_distance(self) -> float:
        """Distance between the eyes in pixels of the upright photo."""
        return float(np.linalg.norm(self.landmarks[1] - self.landmarks[0]))

    @property
    def roll(self) -> float:
        """Degrees by which the face is tilted clockwise once the image is turned by ``rotation``, −180 … 180.

        The angle of the least-squares similarity to the crop's template, which all five points decide.
        """
        goal = TEMPLATE.astype(np.float64) - TEMPLATE.mean(axis=0, dtype=np.float64)
        points = self.landmarks - self.landmarks.mean(axis=0, dtype=np.float64)
        across = float((goal[:, 0] * points[:, 1] - goal[:, 1] * points[:, 0]).sum())
        angle = math.degrees(math.atan2(across, float((goal * points).sum())))
        return (angle + self.rotation + 180) % 360 - 180

    def scaled(self, factor: float) -> Face:
        """The face that a detector would find in the same picture ``factor`` times as wide and high.

        Detectors give landmarks as shares of a box, so that they grow with it, from the picture's corner.
        """
        left, top, right, bottom = (factor * side for side in self.box)
        landmarks = self.landmarks * np.float32(factor)
        return replace(self, box=(left, top, right, bottom), landmarks=landmarks)

    def to_dict(self) -> dict[str, Any]:
        """Every field as JSON values; :meth:`from_dict` is the inverse."""
        return {f.name: _plain(getattr(self, f.name)) for f in fields(self)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Face:
        """A face from what :meth:`to_dict` gave."""
        return cls(**{**values, "box": tuple(values["box"])})


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
    _: KW_ONLY
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
        _check_whole("depth", self.depth, 1, MOST_BLOCKS)
        if not isinstance(self.grid, tuple) or len(self.grid) != 2:
            raise UsageError(f"grid must be (rows, columns), but got {_short(self.grid)}")
        for side in self.grid:
            _check_whole("a side of grid", side, 1, _MOST_CELLS)
        for name in ("width", "heads", "embedding"):
            _check_whole(name, getattr(self, name), 0, _MOST_UNITS)
        for name in ("name", "score", "source", "licence", "sha256", "notes"):
            if not isinstance(getattr(self, name), str):
                raise UsageError(f"{name} must be text, but got {_short(getattr(self, name))}")
        if not isinstance(self.exits, bool):
            raise UsageError(f"exits must be true or false, but got {_short(self.exits)}")
        if not isinstance(self.defaults, Mapping) or not all(
            isinstance(text, str) for pair in self.defaults.items() for text in pair
        ):
            raise UsageError(f"defaults must map method names to specs, but got {_short(self.defaults)}")
        self._check_gflops()

    def _check_gflops(self) -> None:
        if not isinstance(self.gflops, tuple) or not all(
            type(cost) in (int, float) and 0 <= cost < 1e12 for cost in self.gflops
        ):
            raise UsageError(f"gflops must be numbers from 0 up, but got {_short(self.gflops)}")
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
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise DataError(f"this is no model card: {error}") from error


def _check_whole(name: str, value: object, least: int, most: int) -> None:
    if type(value) is not int or not least <= value <= most:
        raise UsageError(f"{name} must be a whole number from {least} to {most}, but got {_short(value)}")


def _short(value: object) -> str:
    text = repr(value) if type(value) is not int or abs(value) < 10**20 else "a number of over 20 digits"
    return text if len(text) <= 60 else f"{text[:57]}…"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One number that explains a quality; it is no part of the score.

    Attributes:
        value: the raw number, in ``unit``; which direction is better depends on the measure.
        unit: what it counts, such as ``"px"`` or ``"degrees"``.
        component: the quality component of ISO/IEC 29794-5 that this is; None for a measure of our own.
        scalar: the component's value from 0 to 100, higher = better; None where the standard has none.
    """

    value: float
    unit: str
    component: str | None = None
    scalar: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a face may be less useful than it could be, and what to do about it.

    Attributes:
        code: a word for programs, such as ``"under_exposure"``; ``fiqa.reasons.CODES`` has all.
        value: what was measured, in ``unit``; None for a reason that is no number.
        limit: the limit of the policy that it missed; None where there is no value.
        unit: what value and limit count; empty where there is no value.
        component: the quality component of ISO/IEC 29794-5 that was measured; None for a measure of our own.
        advice: one imperative sentence for a person.
    """

    code: str
    value: float | None = None
    limit: float | None = None
    unit: str = ""
    component: str | None = None
    advice: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Quality:
    """The result for one face, or for one input that gave none; equality leaves the arrays aside.

    Attributes:
        status: ``"ok"``, ``"no_face"``, ``"unreadable"``, ``"too_large"``, ``"missing"``, or ``"failed"`` for
            what may go better another time (out of memory or time, a network that gives no finite number).
        score: calibrated quality in [0, 100], higher = better; None unless ``ok``, and None for a model that
            has no calibration profile.
        scored_by: the method spec as given whose raw number became ``score``; None where there is no score.
        raw: method spec as given → the paper's own number, higher = better.
        reason: one sentence on why there is no score, or a remark on what is missing of the picture; empty
            otherwise.
        path: the input's path, if it had one.
        face: where the face is in the upright photo; None for an input that was already a crop.
        face_index: 0 for the largest face, 1 for the next, …
        used: method spec as given → the fully resolved spec that was run (settings, and depth in a budget).
        maps: method spec as given → (rows, columns) float32 patch map, higher = more useful.
        embedding: (E,) float32 recognition embedding, not normalised, if it was asked for.
        crop: the (112, 112, 3) uint8 RGB crop that was scored.
        reasons: why the face may be less useful than it could be, the most likely cause first; empty if
            nothing is wrong or reasons were not asked for. They never change the score.
        measures: name → what the reasons were drawn from; empty if reasons were not asked for.
    """

    status: str
    _: KW_ONLY
    score: float | None = None
    scored_by: str | None = None
    raw: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""
    path: str | None = None
    face: Face | None = None
    face_index: int = 0
    used: Mapping[str, str] = field(default_factory=dict)
    maps: Mapping[str, FloatArray] = field(default_factory=dict, compare=False)
    embedding: FloatArray | None = field(default=None, compare=False)
    crop: ImageArray | None = field(default=None, compare=False)
    reasons: tuple[Reason, ...] = ()
    measures: Mapping[str, Measured] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise UsageError(f"status must be one of {', '.join(STATUSES)}, but got {self.status!r}")
        if self.score is not None and not 0 <= self.score <= 100:
            raise UsageError(f"score must be in [0, 100], but got {self.score}")
        for name in ("raw", "used", "maps"):
            object.__setattr__(self, name, BySpec(getattr(self, name)))

    def __repr__(self) -> str:
        said = [self.status, *([f"{self.score:.1f} by {self.scored_by}"] if self.score is not None else [])]
        said += [f"{spec}={value:.6g}" for spec, value in self.raw.items()]
        said += [reason.code for reason in self.reasons]
        said += [f"{name}={value!r}" for name in ("path", "reason") if (value := getattr(self, name))]
        return f"Quality({', '.join(said)})"

    @property
    def ok(self) -> bool:
        """Whether the face was scored."""
        return self.status == "ok"

    def to_dict(self, *, arrays: bool = False) -> dict[str, Any]:
        """The result as JSON values; :meth:`from_dict` is the inverse.

        Args:
            arrays: with patch maps, embedding and crop, as nested lists.
        """
        left_out = () if arrays else ("maps", "embedding", "crop")
        return {f.name: _plain(getattr(self, f.name)) for f in fields(self) if f.name not in left_out}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Quality:
        """A result from what :meth:`to_dict` gave."""
        face, maps = values.get("face"), values.get("maps", {})
        arrays = {
            name: None if values.get(name) is None else np.asarray(values[name], dtype)
            for name, dtype in (("embedding", np.float32), ("crop", np.uint8))
        }
        return cls(
            **{
                **values,
                **arrays,
                "face": None if face is None else Face.from_dict(face),
                "maps": {spec: np.asarray(one, np.float32) for spec, one in maps.items()},
                "reasons": tuple(Reason(**one) for one in values.get("reasons", ())),
                "measures": {name: Measured(**one) for name, one in values.get("measures", {}).items()},
            }
        )

    def patch_map(self, method: str) -> FloatArray:
        """(rows, columns) float32 map of a method, higher = more useful; UsageError if it has none."""
        try:
            return self.maps[method]
        except KeyError:
            have = ", ".join(self.maps) or "none"
            raise UsageError(f"no patch map of {method!r} here; maps: {have}") from None


class BySpec(dict[str, V]):
    """Method spec as given → what it gave; one that was not asked for is answered with those that were."""

    def __missing__(self, spec: str) -> V:
        there = ", ".join(map(repr, self)) or "no method"
        raise KeyError(f"there is nothing of {spec!r} here, but of {there}")


def _plain(value: Any) -> Any:
    """``value`` as JSON knows it."""
    if isinstance(value, Face):
        return value.to_dict()
    if isinstance(value, Reason | Measured):
        return asdict(value)
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, tuple | list) else value


def as_bytes(array: NDArray[Any]) -> NDArray[Any]:
    """Integers in 0 to 255 as uint8; all else as it is, uint16 too, whose range is its own."""
    if array.dtype.kind not in "iu" or array.dtype in (np.uint8, np.uint16) or not array.size:
        return array
    return array.astype(np.uint8) if array.min() >= 0 and array.max() <= 255 else array


def check_crops(crops: Any) -> ImageArray:
    """``crops`` as uint8 (B, 112, 112, 3), or UsageError with what was got instead.

    Other integers (but uint16, which an image may use to the full) are taken where they are in 0 to 255.
    """
    array = as_bytes(np.asarray(crops))
    one = "; of a single crop give crop[None]" if array.shape == CROP_SHAPE else ""
    if array.dtype != np.uint8 or array.ndim != 4 or array.shape[1:] != CROP_SHAPE:
        raise UsageError(
            f"crops must be uint8 of shape (B, 112, 112, 3), RGB, but got {array.dtype} {array.shape}{one}"
        )
    return array
