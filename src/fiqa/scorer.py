"""From images to qualities: the one class that most users need."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from . import plan as plans
from .budget import Budget
from .engines import Engine, available_threads, choose, in_streams
from .errors import UsageError
from .evidence import Evidence
from .locator import Locator
from .methods import Method
from .models import DEFAULT, find
from .reasons import Policy, no_face, unexplained
from .specs import choice as one_of
from .stream import Located, Stream
from .types import CROP_SHAPE, BySpec, Face, FloatArray, ImageArray, Quality, check_crops

if TYPE_CHECKING:
    from .calibration import Calibration, Profile
    from .faces import Detector, FaceSource, Rotate
    from .images import Limits

Align = Literal["auto", "none", "detect"]
ALIGNMENTS = ("auto", "none", "detect")


class Scorer:
    """Scores faces. Make one and keep it; it is thread-safe once made.

    Args:
        model: ``"default"`` (embedded), a preset, a path (.onnx, .safetensors, .pt), ``"hf-hub:owner/name"``,
            a :class:`fiqa.ViT`, or a timm or transformers vision transformer.
        methods: method specs, such as ``"attn"`` or ``"vitnt:blocks=0-11"``, or :class:`fiqa.methods.Method`
            objects; all of them share one pass. Measures without a network (``fiqa.measures``) may be named
            beside them. By default ``vitnt``, ``attn`` and, where the model
            regresses a quality, ``exit-depth``.
        engine: ``auto`` (openvino if installed, else onnxruntime, else torch), one of these, the name of
            another package's, or a :class:`fiqa.engines.Engine` object, which brings its own network.
        align: ``auto``: detect and align unless the image is already 112×112; ``none``: the whole image
            is the crop, resampled to 112×112 if it has another size; ``detect``: always detect.
        threads: processors that are used; None: all of this process. One image has its pass on all of them,
            a stream of many a pass on each.
        precision: ``fp32``; ``bf16`` (openvino, torch) or ``int8`` (openvino, onnxruntime) are faster and
            less exact.
        heads: number of attention heads, for a checkpoint that is no preset.
        detector: any :class:`fiqa.faces.Detector` or :class:`fiqa.faces.FaceSource`, such as
            :class:`fiqa.LandmarksCsv`; the name of one, such as ``"mtcnn:min_face=40"``, also of another
            package's; None: the default detector, made when first needed.
        rotate: ``none``: photographs stand upright; ``auto``: they, or faces in them, may be turned by 90°,
            180° or 270° (:attr:`fiqa.Face.rotation`); detection takes four times as long.
        profile: a calibration profile or its path; None: the one that ships with the model, if any.
        budget: share of the full pass (``"50%"``), ``"3 GFLOPs"`` or ``"20 ms"`` a face. The deepest exit or
            block prefix within it is used; ``Quality.used`` says which.
        embedding: also return the recognition embedding of each face.
        device: for torch: ``auto``, ``cpu``, ``cuda``, …
        reasons: also say why a face may be less useful, and what to do about it (``Quality.reasons``, and the
            numbers behind them, ``Quality.measures``); with limits of your own as a
            :class:`fiqa.reasons.Policy`. They never change the score.
        limits: what one image may cost, and whether a truncated JPEG is read; None: the defaults of
            :class:`fiqa.images.Limits`.

    Raises:
        FiqaError: one sentence on the argument that does not fit.

    >>> from fiqa.examples import example_paths
    >>> quality = Scorer(threads=1).score(example_paths()[0])
    >>> quality.status, 0 <= quality.score <= 100, quality.patch_map("attn").shape
    ('ok', True, (14, 14))
    """

    def __init__(
        self,
        model: Any = DEFAULT,
        methods: Sequence[str | Method] | str | None = None,
        engine: str | Engine = "auto",
        align: Align = "auto",
        threads: int | None = None,
        precision: str = "fp32",
        *,
        heads: int | None = None,
        detector: Detector | FaceSource | str | None = None,
        rotate: Rotate = "none",
        profile: Profile | str | os.PathLike[str] | None = None,
        budget: str | Budget | None = None,
        embedding: bool = False,
        device: str = "auto",
        reasons: bool | Policy = False,
        limits: Limits | None = None,
    ) -> None:
        from .faces import face_source

        one_of("align", align, ALIGNMENTS)
        self.source = face_source(detector, rotate=rotate)
        if align == "none" and rotate != "none":
            raise UsageError(f"rotate={rotate!r} needs a detector, and align='none' uses none")
        if isinstance(methods, str | Method):
            methods = (methods,)
        plans.check(methods)  # a typing error should not wait for a checkpoint to load
        limit = Budget.parse(budget) if isinstance(budget, str) else budget
        if embedding and limit is not None:
            raise UsageError("an embedding needs the whole pass; leave out either it or the budget")
        if not isinstance(reasons, bool | Policy):
            raise UsageError(f"reasons must be True, False or a fiqa.reasons.Policy, but got {reasons!r:.60}")
        self.policy = (reasons if isinstance(reasons, Policy) else Policy()) if reasons else None
        self.align = align
        self.limits = limits
        self._locator = Locator(source=self.source, align=align, limits=limits, policy=self.policy)
        self.threads = available_threads(threads)
        if isinstance(engine, str):
            choose(engine, precision=precision, device=device)  # what it lacks, before weights are loaded
            found = find(model, heads=heads, keep=plans.head_needed(methods, embedding))
            self.card, shipped = found.card, found.profile
            plan = plans.make(methods, self.card, embedding=embedding)
            opened = found.open(engine, plan.wanted, threads=threads, precision=precision, device=device)
        else:
            given = {"model": model, "precision": precision, "heads": heads, "device": device}
            _check_engine(engine, given)
            opened, self.card, shipped = engine, engine.card, None
            plan = plans.make(methods, self.card, embedding=embedding)
        self._engine = opened
        if limit is not None:
            plan = plan.limited(self.card, limit.depth(self._engine, tuple(plan.methods.values())))
        chosen = plans.profile_of(profile, shipped)
        self._plan = plan.calibrated(self.card, chosen, given=profile is not None)

    def __repr__(self) -> str:
        scored = f", scored by {self.scored_by}" if self.scored_by else ", not calibrated"
        return f"Scorer({self.card.name} on {self.engine}: {', '.join(self.used.values())}{scored})"

    @property
    def specs(self) -> tuple[str, ...]:
        """The methods' specs as given, without repeats."""
        return tuple(self._plan.used)

    @property
    def used(self) -> dict[str, str]:
        """Spec as given → the fully resolved spec that is run (settings, and depth in a budget)."""
        return self._plan.used

    @property
    def map_notes(self) -> dict[str, str]:
        """Spec as given → what its patch map shows and how it becomes the score, in one line."""
        return {spec: method.map_note for spec, method in self._plan.methods.items()}

    @property
    def scored_by(self) -> str | None:
        """The spec whose calibrated value is ``Quality.score``; None where nothing is calibrated."""
        return self._plan.scored_by

    @property
    def calibration(self) -> Calibration | None:
        """What turns the raw score of ``scored_by`` into ``Quality.score``; None if nothing does."""
        return self._plan.calibration

    @property
    def embedding(self) -> bool:
        """Whether each result holds the recognition embedding."""
        return self._plan.embedding

    @property
    def engine(self) -> str:
        """The engine in use and its precision, for example ``"openvino fp32"``."""
        return f"{self._engine.name} {self._engine.precision}"

    def warm_up(self, batch_size: int = 8, *, many: bool = False) -> None:
        """Compile the network for batches of this size and make the detector, so that no image waits for it.

        Args:
            batch_size: crops of a pass.
            many: for a stream of more than one batch, for which an engine may compile it in another way.

        Raises:
            MissingExtra: there is no detector, and ``align`` is not ``none``; the network is ready then.
        """
        from .faces import DetectorSource

        scorer = self._in_streams()[0] if many else self
        scorer.score_crops(np.zeros((batch_size, *CROP_SHAPE), dtype=np.uint8))
        if self.align != "none" and isinstance(self.source, DetectorSource):
            self.source.open()

    # ------------------------------------------------------------ crops

    def score_crops(self, crops: ImageArray) -> BySpec[FloatArray]:
        """Raw scores of aligned crops.

        Args:
            crops: uint8 (B, 112, 112, 3), RGB; other integers are taken where they are in 0 to 255.

        Returns:
            Method spec as given → (B,) float32, higher = better; raw, not calibrated: see :meth:`calibrate`.

        Raises:
            UsageError: another shape or type.
        """
        crops = check_crops(crops)
        if not len(crops):
            return BySpec((spec, np.empty(0, dtype=np.float32)) for spec in self.specs)
        return BySpec(self._plan.raw(self.evidence(crops)) | self._plan.measured(crops))

    def calibrate(self, raw: dict[str, FloatArray]) -> FloatArray:
        """What :meth:`score_crops` gave → (B,) scores in [0, 100], higher = better.

        Raises:
            UsageError: nothing is calibrated for this model and these methods.
        """
        scores = self._plan.scores(raw)
        if scores is None:
            raise UsageError(f"{self!r} has no calibration: make a profile with 'fiqa calibrate'")
        return scores

    def evidence(self, crops: ImageArray) -> Evidence:
        """The evidence behind the scores of aligned crops, uint8 (B, 112, 112, 3) RGB, B ≥ 1."""
        wanted = self._plan.wanted
        return self._engine.run(check_crops(crops), wanted) if wanted else Evidence({}, self.card.grid)

    def patch_maps(self, crops: ImageArray) -> dict[str, FloatArray]:
        """Patch maps of aligned crops, uint8 (B, 112, 112, 3) RGB, B ≥ 1, of the methods that have one.

        Returns:
            Method spec as given → (B, rows, columns) float32, higher = more useful.
        """
        return self._plan.maps(self.evidence(crops))

    def qualities(
        self, crops: ImageArray, faces: Sequence[Face | Located | None] | None = None
    ) -> list[Quality]:
        """One :class:`Quality` per aligned crop, uint8 (B, 112, 112, 3) RGB, in order.

        ``faces`` says which face of a photo each was cut around, as far as that is known, or is what
        :meth:`locate` gave, which knows more of the photo.
        """
        crops = check_crops(crops)
        if not len(crops):
            return []
        around = faces if faces is not None else [None] * len(crops)
        judged = self._plan.judged(self.evidence(crops), crops)
        return [
            self._explained(quality, crop, one)
            for quality, crop, one in zip(judged, crops, around, strict=True)
        ]

    def _explained(self, quality: Quality, crop: ImageArray, one: Face | Located | None) -> Quality:
        """The quality with what the measures and the reasons say of its face."""
        if not isinstance(one, Located):
            one = Located(one, crop, diagnosis=self._locator.diagnosis(None, one, crop))
        quality = self._plan.with_measures(quality, one.face)
        if self.policy is None or one.diagnosis is None or not quality.ok:
            return quality
        reasons = one.diagnosis.reasons or unexplained(quality.score, self.policy)
        return replace(quality, reasons=reasons, measures=one.diagnosis.measures)

    # ------------------------------------------------------------ images

    def score(self, image: Any, *, faces: Sequence[Face] | None = None) -> Quality:
        """Quality of the largest face of an image: path, encoded bytes, array (H, W, 3) RGB or PIL image.

        What is wrong with the image is a value, ``Quality.status``, never an exception.

        Args:
            image: the photograph.
            faces: where its faces are, if that is known already: nothing is detected, the first is scored.
        """
        return next(self.stream([image if faces is None else (image, faces)], batch_size=1))

    def score_faces(self, image: Any, *, faces: Sequence[Face] | None = None) -> list[Quality]:
        """Qualities of every face of an image, largest first; one with a status if there is none.

        Args:
            image: what :meth:`score` takes.
            faces: where its faces are, if that is known already; they are scored in their order.
        """
        return list(self.stream([image if faces is None else (image, faces)], batch_size=4, all_faces=True))

    def stream(
        self,
        images: Iterable[Any],
        batch_size: int = 8,
        *,
        all_faces: bool = False,
        keep: Sequence[Literal["maps", "crop"]] = ("maps", "crop"),
    ) -> Iterator[Quality]:
        """Score any number of images, in their order, with bounded memory.

        Decoding, detection and alignment run ahead in threads; the network takes full batches. More than one
        batch is scored by as many passes at once as there are threads, of one thread each, where the engine
        can. A result depends neither on that nor on its neighbours or the batch it happens to be in.

        Args:
            images: what :meth:`score` takes, or pairs ``(image, faces)`` of it and a list of its
                :class:`fiqa.Face`.
            batch_size: faces a forward pass.
            all_faces: every face of an image, largest first, rather than the largest.
            keep: arrays that each result holds: ``maps``, ``crop``, both (40 kB a face) or none.

        Yields:
            One Quality per image, or with ``all_faces`` one per face (``face_index`` counts them).
        """
        if batch_size < 1:
            raise UsageError(f"batch_size must be at least 1, but got {batch_size}")
        left_out: dict[str, Any] = {
            name: value for name, value in (("maps", {}), ("crop", None)) if name not in keep
        }
        source = iter(images)
        first = list(islice(source, batch_size + 1))
        scorer, streams = self._in_streams() if len(first) > batch_size else (self, None)
        stream = Stream(
            locate=lambda image: self.locate(image, all_faces=all_faces),
            judge=scorer.qualities,
            batch_size=batch_size,
            threads=self.threads,
            streams=streams,
        )
        for quality in stream.run(chain(first, source)):
            quality = self.explain_no_face(quality)
            yield replace(quality, **left_out) if left_out else quality

    def _in_streams(self) -> tuple[Scorer, int | None]:
        """This scorer for many batches, and how many of them its engine takes at once."""
        scorer = copy(self)
        scorer._engine, streams = in_streams(self._engine)
        return scorer, streams

    def explain_no_face(self, quality: Quality) -> Quality:
        """The quality with its reason, if it is of a photo without a face and reasons are asked for."""
        if quality.status != "no_face" or self.policy is None:
            return quality
        return replace(quality, reasons=(no_face(self.policy),))

    def locate(self, image: Any, *, all_faces: bool = False, reasons: bool = True) -> list[Located]:
        """The largest face of an image, or all of them, each with its crop; [] if none was found.

        This and :meth:`qualities` are what :meth:`stream` is made of, for those who schedule it themselves.

        Args:
            image: what :meth:`stream` takes.
            all_faces: every face, largest first, rather than the largest.
            reasons: of a scorer that gives reasons: whether to look for them here.

        Raises:
            ImageError: the image can't be used.
        """
        locator = self._locator if reasons else replace(self._locator, policy=None)
        return locator.locate(image, all_faces=all_faces)


def _check_engine(engine: Any, given: Mapping[str, Any]) -> None:
    """Raise UsageError if ``engine`` is none, or comes with what an engine in hand has decided already."""
    if not isinstance(engine, Engine):
        raise UsageError(f"engine must be a name or a fiqa.engines.Engine, but got {type(engine).__name__}")
    open_ = {"model": DEFAULT, "precision": "fp32", "heads": None, "device": "auto"}
    for name, value in given.items():
        if not (isinstance(value, str | None) and value == open_[name]):
            raise UsageError(f"the engine {engine.name!r} brings its own network: leave out {name}")
