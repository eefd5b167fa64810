"""One image in → its faces with their crops, and what may be wrong with them, out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from .errors import UsageError
from .reasons import Diagnosis, Photo, Policy, diagnose
from .stream import Located, path_of
from .types import CROP_SHAPE, Face, ImageArray

if TYPE_CHECKING:
    from .faces import FaceSource
    from .images import Limits, Picture

_EYES_IN_REDUCED = 80.0
"""Pixels between the eyes from which a crop is cut of a photograph decoded at a reduced size: the crop itself
has 35, and would average the full photograph's pixels in blocks anyway."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Locator:
    """Reads images and cuts faces out of them.

    Attributes:
        source: tells where the faces are.
        align: ``auto``, ``none`` or ``detect``, as of :class:`fiqa.Scorer`.
        limits: what one image may cost; None: the defaults.
        policy: the limits beyond which a measure is a reason; None: nothing is diagnosed.
    """

    source: FaceSource
    align: str
    limits: Limits | None = None
    policy: Policy | None = None

    def locate(self, image: Any, *, all_faces: bool) -> list[Located]:
        """The largest face of an image, or all of them, each with its crop; [] if none was found.

        Args:
            image: a path, bytes, an array or a PIL image, or a pair of it and its faces.
            all_faces: every face, largest first, rather than the largest.

        Raises:
            ImageError: the image can't be used.
            UsageError: its faces are no faces.
        """
        from .faces import align, whole_as_crop
        from .images import fetched, read

        image, in_hand = image if isinstance(image, tuple) else (image, None)
        if in_hand is not None:
            self._check(in_hand)
        image = fetched(image, self.limits)
        looks = in_hand is None and self.align != "none"
        enough = getattr(self.source, "max_side", None) if looks else None
        picture = read(image, limits=self.limits, at_least=enough)
        remark = picture.remark
        if in_hand is None:
            is_crop = picture.scale == 1 and picture.pixels.shape == CROP_SHAPE
            if self.align == "none" or (self.align == "auto" and is_crop):
                crop = whole_as_crop(picture.pixels)
                return [Located(None, crop, remark, self.diagnosis(None, None, crop))]
        faces = in_hand if in_hand is not None else self.source.faces(picture.pixels, path_of(image))
        wanted = faces if all_faces else faces[:1]
        true = [face.scaled(1 / picture.scale) for face in wanted]
        photos = self._photos(picture, wanted, () if all_faces else faces, look_again=in_hand is None)
        if picture.scale < 1 and any(face.eye_distance < _EYES_IN_REDUCED for face in wanted):
            picture, wanted = read(image, limits=self.limits), true
        found = []
        for face, seen, photo in zip(true, wanted, photos, strict=True):
            crop = align(picture.pixels, seen.landmarks)
            found.append(Located(face, crop, remark, self.diagnosis(photo, face, crop)))
        return found

    def diagnosis(self, photo: Photo | None, face: Face | None, crop: ImageArray) -> Diagnosis | None:
        """What may be wrong with a face; None where nobody asked."""
        return None if self.policy is None else diagnose(photo, face, crop, self.policy)

    def _photos(
        self, picture: Picture, wanted: Sequence[Face], others: Sequence[Face], *, look_again: bool
    ) -> list[Photo | None]:
        """What is known of the photo beside each face, at its full size; given are faces in the picture."""
        if self.policy is None:
            return [None] * len(wanted)
        from .faces.levelling import roll_again

        height, width = picture.pixels.shape[:2]
        photo = Photo(
            size=(round(width / picture.scale), round(height / picture.scale)),
            faces=tuple(face.scaled(1 / picture.scale) for face in others),
            jpeg_quality=picture.jpeg_quality,
        )
        if not look_again:
            return [photo] * len(wanted)
        return [replace(photo, roll=roll_again(self.source, picture.pixels, face)) for face in wanted]

    def _check(self, faces: Any) -> None:
        if self.align == "none":
            raise UsageError("align='none' takes the whole image as the crop; faces need 'auto' or 'detect'")
        if not isinstance(faces, Sequence) or not all(isinstance(face, Face) for face in faces):
            raise UsageError(f"faces must be a list of fiqa.Face, but got {faces!r:.100}")
