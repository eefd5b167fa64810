"""Five landmarks and the photo's size in → where the head is, how large, and how it is held, out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..types import TEMPLATE, Face, Measured
from .components import measured

_CHIN_OF_MOUTH, _CHIN_OF_EYES = 1.77, 1.8
"""Eyes to chin ÷ eyes to mouth, and ÷ distance of the eyes: a mean face of 68 points, and the median of the
standard's conformance table. Neither is exact, so what rests on them is no component of the standard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Photo:
    """What must be known of a photo beside its pixels.

    Attributes:
        size: (width, height) in pixels, upright.
        faces: every face that was found in it; empty if nobody asked for the others.
        jpeg_quality: 1 to 100, from the file's tables; None if it is no JPEG file.
        roll: degrees of the face's tilt that a second look gave; None: the landmarks say it.
    """

    size: tuple[int, int]
    faces: Sequence[Face] = ()
    jpeg_quality: int | None = None
    roll: float | None = None


def measure_head(photo: Photo | None, face: Face) -> dict[str, Measured]:
    """What the landmarks say of a face; without a photo, nothing of its edges and its other faces."""
    points, size = _righted(face, photo.size if photo else (0, 0))
    eyes = points[:2].mean(axis=0)
    between = float(np.linalg.norm(points[1] - points[0]))
    if between == 0:
        return {}
    again = None if photo is None else photo.roll
    found = {
        "eye_distance": measured("InterEyeDistance", between, "px"),
        "roll": measured("HeadPoseRoll", face.roll if again is None else again, "degrees"),
        **_turn(points, eyes, between),
    }
    if photo is None:
        return found
    mouth = float(np.linalg.norm(points[3:].mean(axis=0) - eyes))
    chin = max(_CHIN_OF_MOUTH * mouth, _CHIN_OF_EYES * between)
    return found | _edges(points, eyes, size, between, chin) | _others(photo)


def _righted(face: Face, size: tuple[int, int]) -> tuple[NDArray[np.float64], tuple[int, int]]:
    """Landmarks and (width, height) after the photo is turned so that the face stands as it was found."""
    (width, height), (x, y) = size, face.landmarks.T.astype(np.float64)
    if face.rotation == 90:
        return np.stack([height - 1 - y, x], axis=1), (height, width)
    if face.rotation == 180:
        return np.stack([width - 1 - x, height - 1 - y], axis=1), size
    if face.rotation == 270:
        return np.stack([y, width - 1 - x], axis=1), (height, width)
    return np.stack([x, y], axis=1), size


def _turn(points: NDArray[np.float64], eyes: NDArray[np.float64], between: float) -> dict[str, Measured]:
    """Indices of yaw and pitch: five points of one view give no degrees."""
    along = (points[1] - points[0]) / between
    level = (points - eyes) @ np.array([[along[0], -along[1]], [along[1], along[0]]]) / between
    nose, mouth = level[2], level[3:].mean(axis=0)
    length = float(np.linalg.norm(mouth))
    if length == 0:
        return {}
    found = {
        "yaw": Measured(value=float(nose[0] * mouth[1] - nose[1] * mouth[0]) / length, unit="eye distances")
    }
    if mouth[1] > 0:
        found["pitch"] = Measured(value=float(nose[1] / mouth[1]) - _NOSE, unit="eyes to mouth")
    return found


_EYES = TEMPLATE[:2].mean(axis=0, dtype=np.float64)
_NOSE = float((TEMPLATE[2, 1] - _EYES[1]) / (TEMPLATE[3:, 1].mean(dtype=np.float64) - _EYES[1]))


def _edges(
    points: NDArray[np.float64],
    eyes: NDArray[np.float64],
    size: tuple[int, int],
    between: float,
    chin: float,
) -> dict[str, Measured]:
    width, height = size
    left, right = (float(side) for side in (points[:2, 0].min(), points[:2, 0].max()))
    rooms = (left, width - right, float(eyes[1]), height - float(points[2, 1]))
    return {
        "leftward_crop": measured("LeftwardCropOfTheFaceImage", right / between, "eye distances"),
        "rightward_crop": measured("RightwardCropOfTheFaceImage", (width - left) / between, "eye distances"),
        "margin_above": Measured(value=float(eyes[1]) / chin, unit="eyes to chin"),
        "margin_below": Measured(value=(height - float(eyes[1])) / chin, unit="eyes to chin"),
        "head_size": Measured(value=chin / height, unit="share of the height"),
        "edge_distance": Measured(value=min(rooms) / between, unit="eye distances"),
    }


def _others(photo: Photo) -> dict[str, Measured]:
    areas = sorted((face.area for face in photo.faces), reverse=True)
    if not areas or areas[0] == 0:
        return {}
    second = areas[1] / areas[0] if len(areas) > 1 else 0.0
    return {"single_face": measured("SingleFacePresent", second, "share of the largest")}
