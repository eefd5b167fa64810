"""From a data set's images to the aligned crops that recognisers and quality methods take."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ...errors import DataError, ImageError
from ...types import ImageArray
from .types import Dataset


def iter_crops(
    dataset: Dataset, align: Callable[[ImageArray], ImageArray] | None = None
) -> Iterator[ImageArray]:
    """Each image's crop (112, 112, 3) uint8 RGB, in order, decoded when it is asked for.

    Where the set gives landmarks, the image is aligned by them. Otherwise a 112×112 image is taken as it is,
    and any other is given to ``align``, a function from an image (h, w, 3) uint8 RGB to its crop.

    Raises DataError for an image that can't be decoded, and, if there is no ``align``, one not 112×112.
    """
    from ...faces.alignment import align as align_by_landmarks
    from ...images.reader import load

    for index, name in enumerate(dataset.names):
        try:
            pixels = load(dataset.read(index))
        except ImageError as error:
            raise DataError(f"data set {dataset.name!r}, image {name}: {error}") from error
        if dataset.landmarks is not None:
            yield align_by_landmarks(pixels, dataset.landmarks[index])
        elif pixels.shape == (112, 112, 3):
            yield pixels
        elif align is not None:
            yield align(pixels)
        else:
            raise DataError(
                f"data set {dataset.name!r}, image {name} is {pixels.shape[1]}×{pixels.shape[0]}: expected "
                "112×112 crops; align the set first, or have its faces detected"
            )


def by_detection() -> Callable[[ImageArray], ImageArray]:
    """An ``align`` for :func:`iter_crops`: the crop of the largest face that the default detector finds.

    Where it finds none the image itself stands for its face, since a comparison can't leave out one of its
    images.
    """
    from ...faces import DetectorSource, default_detector, whole_as_crop
    from ...faces import align as warp

    source = DetectorSource(default_detector())

    def aligned(pixels: ImageArray) -> ImageArray:
        try:
            return warp(pixels, source.faces(pixels)[0].landmarks)
        except (ImageError, IndexError):
            return whole_as_crop(pixels)

    return aligned
