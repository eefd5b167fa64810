"""A source of faces of another package: one face in the middle of each photograph."""

from dataclasses import dataclass

from fiqa.faces import TEMPLATE, FaceSourceSpec, face_around
from fiqa.specs import number, option


class _Middle:
    def __init__(self, share):
        self._share = share

    def faces(self, pixels, path=None):
        side = self._share * min(pixels.shape[:2])
        corner = [(pixels.shape[1] - side) / 2, (pixels.shape[0] - side) / 2]
        return [face_around(TEMPLATE / 112 * side + corner)]


@dataclass(frozen=True, kw_only=True)
class Middle(FaceSourceSpec):
    name, summary = "middle", "the middle [/x] of [b]text"
    share: float = option(0.5, read=number, expects="a number")

    def open(self):
        return _Middle(self.share)
