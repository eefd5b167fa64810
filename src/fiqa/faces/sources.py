"""Faces: find them, by a detector or in a table of landmarks, and warp each to the 112×112 ArcFace crop."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from ..errors import DataError, ImageError, UsageError
from ..types import Face, FloatArray, ImageArray

CROP_SIZE = 112

_PAD_SIDE = 640  # longer side of the copy that gets a border when a first look finds nothing


@runtime_checkable
class Detector(Protocol):
    """Anything with this method finds faces for fiqa."""

    def detect(self, image: ImageArray) -> list[Face]:
        """Faces in ``image`` (H, W, 3) uint8 RGB, the largest first, with five landmarks each."""
        ...


def default_detector(*, threads: int = 1) -> Detector:
    """The detector that works offline, MTCNN from the extra ``detect``; may be shared between threads.

    Raises:
        MissingExtra: the extra is not installed.
    """
    from .mtcnn.detector import Mtcnn

    return Mtcnn(threads=threads)


def find_faces(
    detector: Detector, image: ImageArray, path: str | None = None, *, min_side: float = 0
) -> list[Face]:
    """Faces of one image, the largest first; [] if there is none.

    A picture in which nothing is found is looked at once more with a border round it, since a detector
    expects some surroundings and a face may fill the frame.

    Args:
        detector: finds them; with a :class:`LandmarksCsv` they are looked up by ``path`` instead.
        image: (H, W, 3) uint8 RGB.
        path: where the image came from; only a table of landmarks needs it.
        min_side: the shorter side of a box must have at least this many pixels.

    Raises:
        ImageError: status ``no_face``: the table has no landmarks for this image.
    """
    if isinstance(detector, LandmarksCsv):
        return detector.faces(path)
    faces = detector.detect(image) or _detect_padded(detector, image)
    faces = [face for face in faces if _shorter_side(face) >= min_side]
    return sorted(faces, key=lambda face: -face.area)


def _shorter_side(face: Face) -> float:
    left, top, right, bottom = face.box
    return min(right - left, bottom - top)


def _detect_padded(detector: Detector, image: ImageArray) -> list[Face]:
    height, width = image.shape[:2]
    scale = min(1.0, _PAD_SIDE / max(height, width))
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        reduced = Image.fromarray(image).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
        image = np.asarray(reduced)
    border = max(image.shape[:2]) // 2
    faces = detector.detect(np.pad(image, ((border, border), (border, border), (0, 0))))
    out = []
    for face in faces:
        left, top, right, bottom = ((v - border) / scale for v in face.box)
        out.append(Face((left, top, right, bottom), (face.landmarks - border) / scale, face.confidence))
    return out


# ---------------------------------------------------------------- alignment


# ---------------------------------------------------------------- other sources of landmarks


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
            raise DataError(f"the landmarks {name!r} can't be read: {error}.") from error
        self._faces = {key: sorted(found, key=lambda face: -face.area) for key, found in rows.items()}
        self._by_absolute = {os.path.normpath(os.path.join(folder, key)): key for key in self._faces}

    def faces(self, path: str | None) -> list[Face]:
        """Faces of the image at ``path``, the largest first.

        Raises:
            ImageError: status ``no_face``: the table has no row for it.
        """
        if path is None:
            raise ImageError(
                "no_face", f"landmarks in {self.path!r} are found by path, and this image has none."
            )
        key = path if path in self._faces else self._by_absolute.get(os.path.abspath(path))
        if key is None:
            raise ImageError("no_face", f"{self.path!r} has no landmarks for {path!r}.")
        return self._faces[key]

    def detect(self, image: ImageArray) -> list[Face]:
        """Always fails: pixels alone don't say which row is meant. :func:`find_faces` looks up by path."""
        raise UsageError(
            "a table of landmarks needs the path of the image: use find_faces(table, image, path)"
        )


def _face_of(row: list[str], where: str) -> Face:
    try:
        values = np.array([float(value) for value in row[1:]], dtype=np.float32)
    except ValueError as error:
        raise DataError(f"{where}: {error}; a row is path,x1,y1,…,x5,y5 in pixels.") from error
    if values.shape != (10,) or not np.isfinite(values).all():
        raise DataError(
            f"{where}: expected ten finite numbers after the path, but got {len(row) - 1} fields."
        )
    return _face_from(values.reshape(5, 2))


def _face_from(landmarks: FloatArray) -> Face:
    """A face of which only landmarks are known: its box is where the crop's frame lies in the image."""
    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    margin = (high - low).max() / 2
    left, top, right, bottom = (float(v) for v in (*(low - margin), *(high + margin)))
    return Face((left, top, right, bottom), landmarks)


class InsightFaceDetector:
    """An ``insightface.app.FaceAnalysis`` that the caller has prepared, as a detector."""

    def __init__(self, app: Any) -> None:
        self._app = _checked(app, "get", "insightface.app.FaceAnalysis")

    def detect(self, image: ImageArray) -> list[Face]:
        """Faces in ``image`` (H, W, 3) uint8 RGB, the largest first."""
        found = self._app.get(np.ascontiguousarray(image[:, :, ::-1]))  # it expects BGR
        return _largest_first(_face(f.bbox, f.kps, f.det_score) for f in found)


class UniFaceDetector:
    """A detector of uniface (RetinaFace, SCRFD, YOLOv5Face …) that the caller has made."""

    def __init__(self, detector: Any) -> None:
        self._detector = _checked(detector, "detect", "a detector of uniface")

    def detect(self, image: ImageArray) -> list[Face]:
        """Faces in ``image`` (H, W, 3) uint8 RGB, the largest first."""
        found = self._detector.detect(np.ascontiguousarray(image[:, :, ::-1]))  # it expects BGR
        return _largest_first(_face(f.bbox, f.landmarks, f.confidence) for f in found)


def _checked(detector: Any, method: str, expected: str) -> Any:
    if not callable(getattr(detector, method, None)):
        raise UsageError(f"expected {expected} with a method {method}(), but got {type(detector).__name__}")
    return detector


def _face(box: ArrayLike, landmarks: ArrayLike, confidence: float) -> Face:
    left, top, right, bottom = (float(v) for v in np.asarray(box, dtype=np.float64)[:4])
    return Face((left, top, right, bottom), np.asarray(landmarks, dtype=np.float32)[:, :2], float(confidence))


def _largest_first(faces: Iterable[Face]) -> list[Face]:
    return sorted(faces, key=lambda face: -face.area)
