"""Pixels and a path in → the faces of that image out, from a detector or from a table of landmarks."""

from __future__ import annotations

import csv
import os
import threading
from dataclasses import replace
from typing import Literal, Protocol, get_args, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from .. import specs
from ..errors import DataError, ImageError, UsageError
from ..types import Face, ImageArray
from .detectors import MAX_SIDE, Detector, default_detector
from .registry import read_source
from .rotation import detect_turned

Rotate = Literal["none", "auto"]

# Longer side of the copy that gets a border when a first look finds nothing. What is left to find then fills
# a good part of the frame, so a small copy shows it.
_PAD_SIDE = 160
_OPENING = threading.Lock()


@runtime_checkable
class FaceSource(Protocol):
    """Anything with this method tells fiqa where the faces of an image are."""

    def faces(self, pixels: ImageArray, path: str | None = None) -> list[Face]:
        """Faces of one image, the largest first; [] if there is none.

        Args:
            pixels: (H, W, 3) uint8 RGB, upright as its EXIF orientation says.
            path: where the image came from; None if it has no path.

        Raises:
            ImageError: status ``no_face``: nothing is known of this image.
        """
        ...


class DetectorSource:
    """Faces found by a detector.

    A picture in which nothing is found is looked at once more with a border round it, since a detector
    expects some surroundings and a face may fill the frame.

    Args:
        detector: finds upright faces; None: the default one, opened when first needed.
        rotate: ``"none"``: the photograph stands upright; ``"auto"``: it may be turned by 90°, 180° or 270°,
            as a whole or from face to face; takes four times as long.
        name: what tables call it; by default what the detector says of itself.

    Raises:
        UsageError: ``detector`` has no method ``detect``, or ``rotate`` is another word.
    """

    def __init__(
        self, detector: Detector | None = None, *, rotate: Rotate = "none", name: str | None = None
    ) -> None:
        # a class has the method too, but nothing to call it on
        if detector is not None and (not isinstance(detector, Detector) or isinstance(detector, type)):
            raise UsageError(
                "detector must have a method detect(image), or faces(pixels, path), but got "
                f"{repr(detector) if isinstance(detector, str) else type(detector).__name__}"
            )
        if rotate not in get_args(Rotate):
            raise UsageError(f"rotate must be one of {', '.join(get_args(Rotate))}, but got {rotate!r}")
        self.rotate = rotate
        self._detector = detector
        own = "default detector" if detector is None else _named(detector)  # opened or not yet
        self._name = name or own

    def __repr__(self) -> str:
        return self._name if self.rotate == "none" else f"{self._name}, rotate={self.rotate!r}"

    @property
    def max_side(self) -> int | None:
        """The longer side, in pixels, of what the detector looks at; None: it wants the whole photograph."""
        return MAX_SIDE if self._detector is None else getattr(self._detector, "max_side", None)

    def open(self) -> None:
        """Open the detector now rather than at the first image.

        Raises:
            MissingExtra: the default detector is not installed.
        """
        self._opened()

    def faces(self, pixels: ImageArray, path: str | None = None) -> list[Face]:
        """Faces in ``pixels`` (H, W, 3) uint8 RGB, the largest first; [] if there is none.

        Raises:
            MissingExtra: the default detector is needed and not installed.
        """
        return _largest_first(self._look(pixels) or self._look_padded(pixels))

    def _look(self, pixels: ImageArray) -> list[Face]:
        detect = self._opened().detect
        return detect_turned(detect, pixels) if self.rotate == "auto" else detect(pixels)

    def _look_padded(self, pixels: ImageArray) -> list[Face]:
        height, width = pixels.shape[:2]
        scale = min(1.0, _PAD_SIDE / max(height, width))
        if scale < 1:
            size = (max(1, round(width * scale)), max(1, round(height * scale)))
            reduced = Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
            pixels = np.asarray(reduced)
        border = max(pixels.shape[:2]) // 2
        out = []
        for face in self._look(np.pad(pixels, ((border, border), (border, border), (0, 0)))):
            left, top, right, bottom = ((v - border) / scale for v in face.box)
            marks = (face.landmarks - border) / scale
            out.append(replace(face, box=(left, top, right, bottom), landmarks=marks))
        return out

    def _opened(self) -> Detector:
        if self._detector is None:
            with _OPENING:  # threads that need it at the same time open it once
                if self._detector is None:
                    self._detector = default_detector()
        return self._detector


class NamedSource:
    """A source of faces that was named by a text, which is its ``repr``."""

    def __init__(self, name: str, source: FaceSource) -> None:
        self._name, self._source = name, source

    def __repr__(self) -> str:
        return self._name

    def faces(self, pixels: ImageArray, path: str | None = None) -> list[Face]:
        """See :class:`FaceSource`."""
        return self._source.faces(pixels, path)


def face_source(given: FaceSource | Detector | str | None, *, rotate: Rotate = "none") -> FaceSource:
    """What tells where the faces are, checked.

    Args:
        given: a source of faces, as it is; a detector, wrapped; the text of one in ``FACE_SOURCES``, such as
            ``"mtcnn:min_face=40"``, opened; None: the default detector.
        rotate: see :class:`DetectorSource`.

    Raises:
        UsageError: ``given`` is neither, or ``rotate`` is asked of a source that does not look at pixels.
        FiqaError: the text names none, or what it names can't be opened.
    """
    if isinstance(given, str):
        spec = read_source(given)
        found = spec.open()
        if not isinstance(found, FaceSource):
            return DetectorSource(found, rotate=rotate, name=str(spec))
        return NamedSource(str(spec), face_source(found, rotate=rotate))
    if isinstance(given, type) or not isinstance(given, FaceSource):
        return DetectorSource(given, rotate=rotate)  # refuses what is no detector either
    if rotate != "none":
        raise UsageError(
            f"rotate={rotate!r} needs a detector, but {type(given).__name__} knows the faces already"
        )
    return given


def find_faces(
    detector: FaceSource | Detector, image: ImageArray, path: str | None = None, *, min_side: float = 0
) -> list[Face]:
    """Faces of one image, the largest first; [] if there is none.

    Args:
        detector: a detector, or another source of faces, such as :class:`LandmarksCsv`.
        image: (H, W, 3) uint8 RGB.
        path: where the image came from; only a table of landmarks needs it.
        min_side: the shorter side of a box must have at least this many pixels.

    Raises:
        ImageError: status ``no_face``: the table has no landmarks for this image.
        UsageError: ``detector`` finds no faces.
    """
    faces = face_source(detector).faces(image, path)
    return [face for face in faces if _shorter_side(face) >= min_side]


_FARTHEST = 1e6  # pixels: no picture is so wide, and squares of it stay exact


class LandmarksCsv:
    """Landmarks from a table rather than a detector: ``path,x1,y1,x2,y2,x3,y3,x4,y4,x5,y5``.

    Several rows of a path are several faces. A header line may come first. Relative paths are looked up as
    written, and else from the table's own folder.

    Raises:
        DataError: the file is missing, or a row has no ten finite numbers; the message names its line.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        name = os.fsdecode(path)
        self.path = name
        folder = os.path.dirname(os.path.abspath(name))
        rows: dict[str, list[Face]] = {}
        try:
            # Undecodable bytes in file names come back as the operating system gave them.
            with open(name, newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
                reader = csv.reader(file)
                for row in reader:
                    if not row or (reader.line_num == 1 and row[0].strip().lower() == "path"):
                        continue
                    face = _face_of(row, f"{name!r}, line {reader.line_num}")
                    rows.setdefault(row[0], []).append(face)
        except (OSError, csv.Error) as error:
            raise DataError(f"the landmarks {name!r} can't be read: {error}") from error
        self._faces = {key: _largest_first(found) for key, found in rows.items()}
        self._by_absolute = {os.path.normpath(os.path.join(folder, key)): key for key in self._faces}

    def __repr__(self) -> str:
        return f"LandmarksCsv({self.path!r})"

    def faces(self, pixels: ImageArray | None, path: str | None = None) -> list[Face]:
        """Faces of the image at ``path``, the largest first; ``pixels`` play no part.

        Raises:
            ImageError: status ``no_face``: the table has no row for it.
        """
        if path is None:
            raise ImageError(
                "no_face", f"landmarks in {self.path!r} are found by path, and this one has none"
            )
        key = path if path in self._faces else self._by_absolute.get(os.path.abspath(path))
        if key is None:
            raise ImageError("no_face", f"{self.path!r} has no landmarks for {path!r}")
        return self._faces[key]


def _face_of(row: list[str], where: str) -> Face:
    try:
        values = np.array([specs.number(value) for value in row[1:]], dtype=np.float64)
    except ValueError as error:
        raise DataError(f"{where}: {str(error)[:80]}; a row is path,x1,y1,…,x5,y5 in pixels") from error
    if values.shape != (10,) or np.abs(values).max() > _FARTHEST:
        raise DataError(
            f"{where}: expected ten numbers of pixels after the path, but got {len(row) - 1} fields"
        )
    return face_around(values.reshape(5, 2))


def face_around(landmarks: ArrayLike) -> Face:
    """A face of which only the five landmarks (5, 2) are known: its box is half their extent wider each way.

    >>> face_around([[38, 52], [74, 52], [56, 72], [42, 92], [71, 92]]).box
    (18.0, 32.0, 94.0, 112.0)
    """
    points = np.asarray(landmarks, dtype=np.float32)
    low, high = points.min(axis=0), points.max(axis=0)
    margin = (high - low).max() / 2
    left, top, right, bottom = (float(v) for v in (*(low - margin), *(high + margin)))
    return Face((left, top, right, bottom), points)


def _named(detector: Detector) -> str:
    """What a detector says of itself, never its address."""
    return type(detector).__name__ if type(detector).__repr__ is object.__repr__ else repr(detector)


def _shorter_side(face: Face) -> float:
    left, top, right, bottom = face.box
    return min(right - left, bottom - top)


def _largest_first(faces: list[Face]) -> list[Face]:
    return sorted(faces, key=lambda face: -face.area)
