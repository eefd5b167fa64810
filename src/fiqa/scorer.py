"""From images to qualities: the one class that most users need."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from . import evidence as names
from . import methods as registry
from .budget import Budget
from .engines.base import available_threads
from .errors import ImageError, UsageError
from .evidence import Evidence
from .models.catalog import DEFAULT, Keep, find
from .types import Face, FloatArray, ImageArray, Quality, check_crops

if TYPE_CHECKING:
    from .calibration import Calibration, Profile
    from .faces.sources import Detector

DEFAULT_METHODS = ("vitnt", "attn", "exit-depth")
ALIGNMENTS = ("auto", "none", "detect")
CROP_SIZE = 112
_MOST_WAITING = 16  # images a batch


class Scorer:
    """Scores faces. Make one and keep it; it is thread-safe once made.

    Args:
        model: ``"default"`` (embedded), a preset, a path (.onnx, .safetensors, .pt), ``"hf-hub:owner/name"``,
            a :class:`fiqa.ViT`, or a timm or transformers vision transformer.
        methods: method specs, such as ``"attn"`` or ``"vitnt:blocks=0-11"``; all of them share one pass. By
            default ``vitnt``, ``attn`` and, where the model regresses a quality, ``exit-depth``.
        engine: ``auto`` (openvino if installed, else onnxruntime, else torch) or one of these.
        align: ``auto``: detect and align unless the image is already 112×112; ``none``: the whole image
            is the crop, resampled to 112×112 if it has another size; ``detect``: always detect.
        threads: of the engine; None: all processors of this process.
        precision: ``fp32``; ``bf16`` (openvino, torch) or ``int8`` (openvino, onnxruntime) are faster and
            less exact.
        heads: number of attention heads, for a checkpoint that is no preset.
        detector: any :class:`fiqa.faces.Detector`; None: the default one, made when first needed.
        profile: a calibration profile or its path; None: the one that ships with the model, if any.
        budget: share of the full pass (``"50%"``), ``"3 GFLOPs"`` or ``"20 ms"`` a face. The deepest exit or
            block prefix within it is used; ``Quality.used`` says which.
        embedding: also return the recognition embedding of each face.
        device: for torch: ``auto``, ``cpu``, ``cuda``, …

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
        methods: Sequence[str] | None = None,
        engine: str = "auto",
        align: str = "auto",
        threads: int | None = None,
        precision: str = "fp32",
        *,
        heads: int | None = None,
        detector: Detector | None = None,
        profile: Profile | str | os.PathLike[str] | None = None,
        budget: str | Budget | None = None,
        embedding: bool = False,
        device: str = "auto",
    ) -> None:
        if align not in ALIGNMENTS:
            raise UsageError(f"align must be one of {', '.join(ALIGNMENTS)}, but got {align!r}")
        if isinstance(methods, str):
            methods = (methods,)
        if methods is not None and not methods:
            raise UsageError("methods must name at least one method, but got none")
        for spec in methods or ():
            registry.parse(spec)  # a typing error should not wait for a checkpoint to load
        self.align = align
        self.threads = available_threads(threads)
        found = find(model, heads=heads, keep=_head_needed(methods, embedding))
        self.card = found.card
        if methods is None:
            methods = DEFAULT_METHODS if self.card.exits else DEFAULT_METHODS[:2]
        self.specs = tuple(dict.fromkeys(methods))
        self._methods = {spec: registry.parse(spec, self.card) for spec in self.specs}
        if embedding and not self.card.embedding:
            raise UsageError(f"{self.card.name} has no recognition head, so it gives no embedding")
        self._extra = (names.EMBEDDING,) if embedding else ()
        wanted = (*registry.needs(list(self._methods.values())), *self._extra)
        self._engine = found.open(engine, wanted, threads=threads, precision=precision, device=device)
        if budget is not None:
            limit = budget if isinstance(budget, Budget) else Budget.parse(budget)
            depth = limit.depth(self._engine, tuple(self._methods.values()))
            self._methods = {s: method.limited(self.card, depth) for s, method in self._methods.items()}
            if embedding:
                raise UsageError("an embedding needs the whole pass; leave out either it or the budget")
        self._wanted = (*registry.needs(list(self._methods.values())), *self._extra)
        self.used = {spec: str(method) for spec, method in self._methods.items()}
        self._calibrated = self._calibration(profile, found.profile)
        self.scored_by = self._calibrated.spec
        self._detector = detector

    @property
    def calibration(self) -> Calibration | None:
        """What turns the raw score of ``scored_by`` into ``Quality.score``; None if nothing does."""
        return self._calibrated.calibration

    # ------------------------------------------------------------ crops

    @property
    def engine(self) -> str:
        """The engine in use and its precision, for example ``"openvino fp32"``."""
        return f"{self._engine.name} {self._engine.precision}"

    def score_crops(self, crops: ImageArray) -> dict[str, FloatArray]:
        """Raw scores of aligned crops.

        Args:
            crops: uint8 (B, 112, 112, 3), RGB.

        Returns:
            Method spec as given → (B,) float32, higher = better; raw, not calibrated.

        Raises:
            UsageError: another shape or type.
        """
        crops = check_crops(crops)
        if not len(crops):
            return {spec: np.empty(0, dtype=np.float32) for spec in self.specs}
        evidence = self.evidence(crops)
        return {spec: np.asarray(m.score(evidence), dtype=np.float32) for spec, m in self._methods.items()}

    def evidence(self, crops: ImageArray) -> Evidence:
        """The evidence behind the scores of aligned crops, uint8 (B, 112, 112, 3) RGB, B ≥ 1."""
        return self._engine.run(check_crops(crops), self._wanted)

    def patch_maps(self, crops: ImageArray) -> dict[str, FloatArray]:
        """Patch maps of aligned crops, uint8 (B, 112, 112, 3) RGB, B ≥ 1, of the methods that have one.

        Returns:
            Method spec as given → (B, rows, columns) float32, higher = more useful.
        """
        return self._maps(self.evidence(crops))

    def _maps(self, evidence: Evidence) -> dict[str, FloatArray]:
        maps = {spec: method.patch_map(evidence) for spec, method in self._methods.items()}
        return {spec: values for spec, values in maps.items() if values is not None}

    def qualities(self, crops: ImageArray) -> list[Quality]:
        """One :class:`Quality` per aligned crop, uint8 (B, 112, 112, 3) RGB, in order."""
        if not len(check_crops(crops)):
            return []
        evidence = self.evidence(crops)
        raw = {spec: method.score(evidence) for spec, method in self._methods.items()}
        maps = self._maps(evidence)
        scores = self._calibrated(raw)
        vectors = evidence[names.EMBEDDING] if self._extra else [None] * len(crops)
        return [
            Quality(
                status="ok",
                score=None if scores is None else float(scores[i]),
                raw={spec: float(values[i]) for spec, values in raw.items()},
                used=self.used,
                maps={spec: values[i] for spec, values in maps.items()},
                embedding=vectors[i],
                crop=crops[i],
            )
            for i in range(len(crops))
        ]

    # ------------------------------------------------------------ images

    def score(self, image: Any) -> Quality:
        """Quality of the largest face of an image: path, encoded bytes, array (H, W, 3) RGB or PIL image.

        What is wrong with the image is a value, ``Quality.status``, never an exception.
        """
        return next(self.stream([image], batch_size=1))

    def score_faces(self, image: Any) -> list[Quality]:
        """Qualities of every face of an image, largest first; one with a status if there is none."""
        return list(self.stream([image], batch_size=4, all_faces=True))

    def stream(
        self, images: Iterable[Any], batch_size: int = 8, *, all_faces: bool = False
    ) -> Iterator[Quality]:
        """Score any number of images, in their order, with bounded memory.

        Decoding, detection and alignment run ahead in threads; the network takes full batches. A result does
        not depend on its neighbours, nor on the batch it happens to be in.

        Args:
            images: what :meth:`score` takes.
            batch_size: faces a forward pass.
            all_faces: every face of an image, largest first, rather than the largest.

        Yields:
            One Quality an image, or with ``all_faces`` one a face (``face_index`` counts them).
        """
        if batch_size < 1:
            raise UsageError(f"batch_size must be at least 1, but got {batch_size}")
        entries: deque[_Entry] = deque()
        ready = 0
        for path, found in self._prepared(images, 2 * batch_size + self.threads, all_faces):
            entries.append(_Entry(path, found))
            ready += len(found) if isinstance(found, list) else 0
            # a short batch where few images give a face: else the many others would wait for its results
            while ready >= batch_size or (ready and len(entries) >= _MOST_WAITING * batch_size):
                self._run_batch(entries, batch_size)
                ready -= min(ready, batch_size)
            while entries and entries[0].done:
                yield from entries.popleft().results()
        if ready:
            self._run_batch(entries, batch_size)
        while entries:
            yield from entries.popleft().results()

    def _run_batch(self, entries: Iterable[_Entry], batch_size: int) -> None:
        """Score the first ``batch_size`` crops that wait, filling a short batch up with blanks.

        A run time may choose another kernel for another batch size, and the last bits differ then; with one
        size for all batches that can't happen.
        """
        waiting = [(entry, i) for entry in entries for i in entry.waiting()]
        batch = waiting[:batch_size]
        crops = np.zeros((batch_size, CROP_SIZE, CROP_SIZE, 3), dtype=np.uint8)
        for row, (entry, i) in enumerate(batch):
            crops[row] = entry.crops[i][1]
        for (entry, i), quality in zip(batch, self.qualities(crops), strict=False):
            entry.scored.append(
                replace(
                    quality, path=entry.path, face=entry.crops[i][0], face_index=i, crop=entry.crops[i][1]
                )
            )

    def _prepared(
        self, images: Iterable[Any], ahead: int, all_faces: bool
    ) -> Iterator[tuple[str | None, list[tuple[Face | None, ImageArray]] | ImageError]]:
        """Decode, detect and align in threads, at most ``ahead`` images before the one that is asked for."""
        source = iter(images)
        pool = ThreadPoolExecutor(self.threads, thread_name_prefix="fiqa-decode")
        try:
            futures: deque[tuple[str | None, Future[Any]]] = deque()

            def submit(count: int) -> None:
                for image in islice(source, count):
                    path = os.fsdecode(image) if isinstance(image, (str, os.PathLike)) else None
                    futures.append((path, pool.submit(self._crops, image, all_faces)))

            submit(ahead)
            while futures:
                path, future = futures.popleft()
                try:
                    yield path, future.result()
                except ImageError as error:
                    yield path, error
                submit(1)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _crops(self, image: Any, all_faces: bool) -> list[tuple[Face | None, ImageArray]]:
        from .faces.alignment import align
        from .faces.sources import find_faces
        from .images.reader import load

        pixels = load(image)
        is_crop = pixels.shape == (CROP_SIZE, CROP_SIZE, 3)
        if self.align == "none" or (self.align == "auto" and is_crop):
            return [(None, pixels if is_crop else _whole(pixels))]
        path = os.fsdecode(image) if isinstance(image, (str, os.PathLike)) else None
        faces = find_faces(self._face_detector(), pixels, path)
        return [(face, align(pixels, face.landmarks)) for face in (faces if all_faces else faces[:1])]

    def _face_detector(self) -> Detector:
        if self._detector is None:
            from .faces.sources import default_detector

            self._detector = default_detector()
        return self._detector

    # ------------------------------------------------------------ calibration

    def _calibration(self, given: Any, shipped: Profile | None) -> _Calibrated:
        profile = shipped
        if given is not None:
            from .calibration import Profile

            profile = given if isinstance(given, Profile) else Profile.load(given)
        if profile is None:
            return _Calibrated(None, None)
        main = self.card.defaults.get("score", self.card.score)
        for spec in sorted(self.specs, key=lambda spec: spec.partition(":")[0] != main.partition(":")[0]):
            calibration = profile.calibrations.get(self.used[spec])
            if calibration is not None:
                return _Calibrated(spec, calibration)
        if given is not None:
            have = ", ".join(profile.calibrations)
            raise UsageError(f"the profile calibrates {have}, but none of {', '.join(self.used.values())}")
        return _Calibrated(None, None)


@dataclass(frozen=True, slots=True)
class _Calibrated:
    """From raw scores to 0–100 by one of the methods, or to nothing where nothing is calibrated."""

    spec: str | None
    calibration: Calibration | None

    def __call__(self, raw: dict[str, FloatArray]) -> FloatArray | None:
        return None if self.calibration is None else self.calibration(raw[self.spec or ""])


@dataclass(slots=True)
class _Entry:
    """One image on its way through a stream."""

    path: str | None
    found: list[tuple[Face | None, ImageArray]] | ImageError
    scored: list[Quality] = field(default_factory=list)

    @property
    def crops(self) -> list[tuple[Face | None, ImageArray]]:
        return self.found if isinstance(self.found, list) else []

    @property
    def done(self) -> bool:
        return len(self.scored) == len(self.crops)

    def waiting(self) -> range:
        return range(len(self.scored), len(self.crops))

    def results(self) -> list[Quality]:
        if isinstance(self.found, ImageError):
            return [Quality(status=self.found.status, reason=str(self.found), path=self.path)]
        if not self.found:
            return [Quality(status="no_face", reason="no face was found", path=self.path)]
        return self.scored


def _head_needed(methods: Sequence[str] | None, embedding: bool) -> Keep:
    if embedding:
        return "all"
    if methods is None or any(spec.startswith("exit") for spec in methods):
        return "exits"
    return "blocks"


def _whole(pixels: ImageArray) -> ImageArray:
    """A whole image as a crop; Pillow's bicubic filter, which is antialiased when it shrinks."""
    from PIL import Image

    size = (CROP_SIZE, CROP_SIZE)
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))
