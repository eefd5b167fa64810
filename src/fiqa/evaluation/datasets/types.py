"""The value every reader returns: images by name, who they show, and which comparisons to make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError, UsageError
from ..metrics.arrays import as_labels

ImageSource = Path | bytes
"""Where one image's encoded bytes are: a file, read when it is needed, or the bytes themselves."""


_ARRAYS: dict[str, type | None] = {
    "subjects": np.str_,
    "groups": np.str_,
    "labels": np.float32,
    "landmarks": np.float32,
    "folds": None,
    "pairs": None,
    "is_genuine": None,
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Templates:
    """How images form templates: sets of images of one subject that are compared as one (IJB-C).

    Attributes:
        ids: (T,) the templates' own numbers; a template is spoken of by its row here.
        rows: (M,) integer, the template that each membership belongs to, in [0, T).
        images: (M,) integer, the image of each membership; one image may serve several templates.
        media: (M,) integer, the medium (a photo, or one video) that the image comes from.
    """

    ids: NDArray[np.int64]
    rows: NDArray[np.int32]
    images: NDArray[np.int32]
    media: NDArray[np.int64]

    def __post_init__(self) -> None:
        if not len(self.rows) == len(self.images) == len(self.media):
            raise UsageError(
                "rows, images and media must have one entry a membership, but got lengths "
                f"{len(self.rows)}, {len(self.images)} and {len(self.media)}"
            )
        present = np.bincount(self.rows, minlength=len(self.ids)) if len(self.rows) else np.zeros(0, int)
        if len(present) != len(self.ids) or (present == 0).any():
            raise UsageError(f"every one of the {len(self.ids)} templates needs at least one image")

    def pool_embeddings(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Template embeddings (T, D) from image embeddings (n, D), not normalised.

        The images of one medium are averaged, so that a long video weighs no more than a photo, and the
        media of a template are summed (the IJB-C protocol of Maze et al., 2018, as in general use).
        """
        order = np.lexsort((self.media, self.rows))
        rows, media = self.rows[order], self.media[order]
        starts = np.flatnonzero(np.r_[True, (np.diff(rows) != 0) | (np.diff(media) != 0)])
        sizes = np.diff(np.r_[starts, len(rows)])
        medium_mean = np.add.reduceat(embeddings[self.images[order]], starts, axis=0) / sizes[:, None]
        template_starts = np.flatnonzero(np.r_[True, np.diff(rows[starts]) != 0])
        return np.add.reduceat(medium_mean, template_starts, axis=0).astype(np.float32)

    def pool_quality(self, quality: NDArray[np.floating], reduce: str = "min") -> NDArray[np.float64]:
        """Template quality (T,) from image quality (n,), higher = better: the ``min`` or ``mean`` image."""
        values = np.asarray(quality, dtype=np.float64)[self.images]
        if reduce == "min":
            pooled = np.full(len(self.ids), np.inf)
            np.minimum.at(pooled, self.rows, values)
            return pooled
        if reduce == "mean":
            counts = np.bincount(self.rows, minlength=len(self.ids))
            return np.bincount(self.rows, weights=values, minlength=len(self.ids)) / counts
        raise UsageError(f"reduce must be 'min' or 'mean', but got {reduce!r}")


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Images and the comparisons to make between them.

    A comparison is between two *items*: two images, or two templates where ``templates`` is set.

    Attributes:
        name: what reports call the set.
        images: (n,) sources, see ``ImageSource``.
        names: (n,) one stable, unique name an image: its path below the root, with ``/``.
        subjects: one label an item, or None where the layout tells nothing. Where it only tells which pairs
            are mated, items that mated pairs connect carry one label.
        pairs: (P, 2) integer items to compare; None means all against all, by ``subjects``.
        is_genuine: (P,) bool, True for a mated comparison; None exactly where ``pairs`` is None.
        folds: (P,) integer, the cross-validation fold of each pair, or None.
        groups: (n,) a label an image to break results down by, or None: for SynFIQA the ordered quality
            group, for Adience the gender.
        labels: (n,) float, a quality the set itself gives, higher = better, or None.
        templates: how images form templates, or None.
        landmarks: (n, 5, 2) float32, x then y in pixels, where the set gives them, else None: then the
            images are loose crops that must be aligned with them.
    """

    name: str
    images: Sequence[ImageSource]
    names: tuple[str, ...]
    _: KW_ONLY
    subjects: NDArray[np.str_] | None = None
    pairs: NDArray[np.integer] | None = None
    is_genuine: NDArray[np.bool_] | None = None
    folds: NDArray[np.integer] | None = None
    groups: NDArray[np.str_] | None = None
    labels: NDArray[np.float32] | None = None
    templates: Templates | None = None
    landmarks: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        self._coerce()
        n = len(self.images)
        if n == 0:
            raise DataError(f"data set {self.name!r} has no image: check that the path is its root folder")
        if len(self.names) != n or len(set(self.names)) != n:
            raise UsageError(f"names must be {n} unique names, one an image, but got {len(self.names)}")
        for field in ("groups", "labels", "landmarks"):
            value = getattr(self, field)
            if value is not None and len(value) != n:
                raise UsageError(f"{field} must have {n} entries, one an image, but got {len(value)}")
        if self.subjects is not None and len(self.subjects) != self.n_items:
            raise UsageError(
                f"subjects must have {self.n_items} entries, one an item, but got {len(self.subjects)}"
            )
        self._check_pairs()

    def _coerce(self) -> None:
        """Take what people have at hand: paths as text, lists for arrays."""
        images = tuple(Path(one) if isinstance(one, str) else one for one in self.images)
        object.__setattr__(self, "images", images)
        object.__setattr__(self, "names", tuple(self.names))
        for field, kind in _ARRAYS.items():
            value = getattr(self, field)
            if value is not None and not isinstance(value, np.ndarray):
                try:
                    object.__setattr__(self, field, np.asarray(value, kind))
                except (TypeError, ValueError) as error:
                    raise UsageError(f"{field} must be an array, but got {type(value).__name__}") from error
        if self.is_genuine is not None:
            object.__setattr__(self, "is_genuine", as_labels(self.is_genuine))

    def _check_pairs(self) -> None:
        if self.pairs is None:
            if self.is_genuine is not None or self.folds is not None or self.subjects is None:
                raise UsageError("all-against-all (no pairs) needs subjects, and no is_genuine or folds")
            return
        if self.pairs.ndim != 2 or self.pairs.shape[1] != 2 or self.pairs.dtype.kind not in "iu":
            raise UsageError(f"pairs must be (P, 2) integers, but got {self.pairs.dtype} {self.pairs.shape}")
        if self.is_genuine is None or self.is_genuine.shape != (len(self.pairs),):
            raise UsageError(f"is_genuine must be ({len(self.pairs)},) bool, one value a pair")
        if self.folds is not None and self.folds.shape != (len(self.pairs),):
            raise UsageError(f"folds must be ({len(self.pairs)},) integers, one value a pair")
        if len(self.pairs) and not 0 <= self.pairs.min() <= self.pairs.max() < self.n_items:
            raise UsageError(f"pairs must hold item numbers in [0, {self.n_items})")

    def __len__(self) -> int:
        return len(self.images)

    @property
    def n_items(self) -> int:
        """Number of the things that are compared: templates if there are any, else images."""
        return len(self.templates.ids) if self.templates is not None else len(self.images)

    def read(self, index: int) -> bytes:
        """Encoded bytes of one image. Raises DataError when its file can't be read."""
        source = self.images[index]
        if isinstance(source, bytes):
            return source
        try:
            return source.read_bytes()
        except OSError as error:
            raise DataError(f"data set {self.name!r}: can't read image {source}: {error.strerror}") from error
