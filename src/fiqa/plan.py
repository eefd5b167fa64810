"""Method specs, a model's card and a profile in → what one pass must give and how it becomes scores out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from . import evidence as names
from . import methods as registry
from .errors import UsageError, unknown
from .evidence import Evidence
from .measures import CROP_MEASURES, CropMeasure
from .methods import METHODS, Method
from .specs import split
from .types import BySpec, Face, FloatArray, ImageArray, ModelCard, Quality

if TYPE_CHECKING:
    from .calibration import Calibration, Profile
    from .models.catalog import Keep

DEFAULT_METHODS = ("vitnt", "attn", "exit-depth")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is computed of each crop.

    Attributes:
        methods: spec as given → resolved method.
        measures: name → measure that needs no network, from crop and face.
        embedding: whether the recognition embedding is read too.
        scored_by: the spec whose calibrated value is the score; None where nothing is calibrated.
        calibration: what calibrates it.
    """

    methods: Mapping[str, Method]
    measures: Mapping[str, CropMeasure] = field(default_factory=dict)
    embedding: bool = False
    scored_by: str | None = None
    calibration: Calibration | None = None

    @property
    def wanted(self) -> tuple[str, ...]:
        """Names of the evidence that one shared pass must give."""
        extra = (names.EMBEDDING,) if self.embedding else ()
        return (*registry.needs(list(self.methods.values())), *extra)

    @property
    def used(self) -> dict[str, str]:
        """Spec as given → the fully resolved spec."""
        return {spec: str(method) for spec, method in self.methods.items()} | {m: m for m in self.measures}

    def raw(self, evidence: Evidence) -> BySpec[FloatArray]:
        """Spec as given → (B,) float32, higher = better."""
        return BySpec(
            (spec, np.asarray(method.score(evidence), dtype=np.float32))
            for spec, method in self.methods.items()
        )

    def maps(self, evidence: Evidence) -> dict[str, FloatArray]:
        """Spec as given → (B, rows, columns) float32, of the methods that have a map."""
        maps = {spec: method.patch_map(evidence) for spec, method in self.methods.items()}
        return {spec: values for spec, values in maps.items() if values is not None}

    def scores(self, raw: Mapping[str, FloatArray]) -> FloatArray | None:
        """(B,) in [0, 100], higher = better; None where nothing is calibrated."""
        if self.calibration is None or self.scored_by is None:
            return None
        return self.calibration(raw[self.scored_by])

    def judged(self, evidence: Evidence, crops: ImageArray) -> list[Quality]:
        """What the network says of each crop: ``ok``, or ``failed`` where it gives no finite number.

        Args:
            evidence: of these crops.
            crops: uint8 (B, 112, 112, 3) RGB.
        """
        raw, maps = self.raw(evidence), self.maps(evidence)
        scores = self.scores(raw)
        used, n_crops = self.used, len(crops)
        vectors = evidence[names.EMBEDDING] if self.embedding else [None] * n_crops
        maps_by_text = {f"{spec}'s map": values for spec, values in maps.items()}
        wrong = _not_finite(n_crops, {**raw, **maps_by_text, "embedding": vectors})
        return [
            Quality(status="failed", reason=wrong[i], used=used, crop=crops[i])
            if wrong[i]
            else Quality(
                status="ok",
                score=None if scores is None else float(scores[i]),
                scored_by=self.scored_by,
                raw={spec: float(values[i]) for spec, values in raw.items()},
                used=used,
                maps={spec: values[i] for spec, values in maps.items()},
                embedding=vectors[i],
                crop=crops[i],
            )
            for i in range(n_crops)
        ]

    def measured(self, crops: ImageArray) -> dict[str, FloatArray]:
        """Name → (B,) float32, of the measures.

        Raises:
            UsageError: one of them reads the face in its photo, which a bare crop does not have.
        """
        for name, measure in self.measures.items():
            if measure.needs_face:
                raise UsageError(f"{name} is measured on the face in its photo: score photos, not crops")
        return {
            name: np.array([measure.score(crop, None) for crop in crops], dtype=np.float32)
            for name, measure in self.measures.items()
        }

    def with_measures(self, quality: Quality, face: Face | None) -> Quality:
        """The quality of a crop that was cut around ``face``, with what the measures say of it.

        A measure of the face in its photo is left out where the input was a crop.
        """
        if not quality.ok or quality.crop is None or not self.measures:
            return quality
        values = {name: measure.score(quality.crop, face) for name, measure in self.measures.items()}
        known = {name: float(value) for name, value in values.items() if value is not None}
        return replace(quality, raw={**quality.raw, **known})

    def limited(self, card: ModelCard, depth: int) -> Plan:
        """The same plan, reading the first ``depth`` blocks at most."""
        return replace(
            self, methods={spec: method.limited(card, depth) for spec, method in self.methods.items()}
        )

    def calibrated(self, card: ModelCard, profile: Profile | None, *, given: bool) -> Plan:
        """The same plan with what the profile calibrates, by preference the method that the card scores with.

        Raises:
            UsageError: the profile was ``given`` by the caller and calibrates none of the methods.
        """
        if profile is None:
            return self
        main = card.defaults.get("score", card.score)
        used = self.used
        for spec in sorted(used, key=lambda spec: spec.partition(":")[0] != main.partition(":")[0]):
            if (calibration := profile.calibrations.get(used[spec])) is not None:
                return replace(self, scored_by=spec, calibration=calibration)
        if given:
            have = ", ".join(profile.calibrations)
            raise UsageError(f"the profile calibrates {have}, but none of {', '.join(used.values())}")
        return self


def check(methods: Sequence[str | Method] | None) -> None:
    """Raise what is wrong with ``methods`` as far as no model is needed to tell.

    Raises:
        UnknownName: no such method or option; the message suggests the nearest.
        UsageError: none, or a value that is not allowed.
    """
    if methods is not None and not methods:
        raise UsageError("methods must name at least one method, but got none")
    for spec in methods or ():
        if isinstance(spec, Method):
            METHODS.check_name(type(spec))
            continue
        if spec in CROP_MEASURES:
            continue
        name = split(spec)[0]
        if name in CROP_MEASURES:
            raise UsageError(f"{name} has no options, but got {spec!r}")
        if name not in METHODS and name not in METHODS.broken:
            raise unknown("method", name, [*METHODS, *CROP_MEASURES])
        registry.parse(spec)


def needs_exits(methods: Sequence[str | Method] | None) -> bool:
    """Whether any of ``methods`` reads what a ViT-FIQA network regresses, as one of the default ones does."""
    if methods is None:
        return True
    ours = [spec for spec in methods if spec not in CROP_MEASURES]
    return any((m if isinstance(m, Method) else registry.parse(m).method).needs_exits for m in ours)


def head_needed(methods: Sequence[str | Method] | None, embedding: bool) -> Keep:
    """How much of a checkpoint's head has to be loaded for these methods."""
    if embedding:
        return "all"
    return "exits" if needs_exits(methods) else "blocks"


def make(methods: Sequence[str | Method] | None, card: ModelCard, *, embedding: bool) -> Plan:
    """The plan of ``methods``, or of the default ones that the model can answer.

    Raises:
        UsageError: a method or the embedding that the model can't give.
    """
    if embedding and not card.embedding:
        raise UsageError(f"{card.name} has no recognition head, so it gives no embedding")
    if methods is None:
        methods = DEFAULT_METHODS if card.exits else DEFAULT_METHODS[:2]
    specs = dict.fromkeys(methods)
    return Plan(
        methods={str(spec): registry.parse(spec, card) for spec in specs if spec not in CROP_MEASURES},
        measures={spec: CROP_MEASURES[spec] for spec in specs if spec in CROP_MEASURES},
        embedding=embedding,
    )


def profile_of(given: Profile | str | os.PathLike[str] | None, shipped: Profile | None) -> Profile | None:
    """The profile to use: the caller's, read if it is a path, or the one that ships with the model."""
    if given is None:
        return shipped
    from .calibration import Profile

    return given if isinstance(given, Profile) else Profile.load(given)


def _not_finite(n_crops: int, found: Mapping[str, FloatArray | list[None]]) -> list[str]:
    """Per crop, one sentence on what the network gave that is no finite number; empty where all is well."""
    arrays = {name: values for name, values in found.items() if isinstance(values, np.ndarray)}
    bad = {name: [not np.isfinite(row).all() for row in values] for name, values in arrays.items()}
    texts = [", ".join(name for name, rows in bad.items() if rows[i]) for i in range(n_crops)]
    return [text and f"the network gives no finite number for this face: {text}" for text in texts]
