"""Aligned crops in → PNG files out, under names that are safe, stable and stated in the table."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from ..errors import UsageError
from ..types import Quality

_STEM = 48  # characters of the image's own name that are kept; a file name has at most 255 bytes


def crop_name(path: str | None, face_index: int) -> str:
    """The file name of a face's crop: a digest of the image's path, its stem in plain letters, the face.

    The digest tells images of one name in several folders apart; none of the path leads out of a folder.

    >>> crop_name("photos/Ann & Bob.jpg", 1)
    'aa7d75d81e93-Ann_Bob-1.png'
    """
    digest = hashlib.sha256(os.fsencode(path or "")).hexdigest()[:12]
    stem = os.path.splitext(os.path.basename(path or ""))[0]
    plain = re.sub(r"[^A-Za-z0-9-]+", "_", stem).strip("_")[:_STEM]
    return f"{digest}-{plain or 'image'}-{face_index}.png"


class CropFolder:
    """A folder that takes the crop of every scored face.

    Args:
        folder: is made where there is none.

    Raises:
        UsageError: there is something else of that name.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise UsageError(f"the folder for crops {str(folder)!r} is no folder: name another") from error

    def save(self, quality: Quality) -> None:
        """Write the crop of a face that was scored; a kill leaves the whole file or none."""
        from PIL import Image

        if not quality.ok or quality.crop is None:
            return
        target = self.folder / crop_name(quality.path, quality.face_index)
        temporary = self.folder / f".{target.name}.{os.getpid()}.part"
        Image.fromarray(quality.crop).save(temporary, "png", compress_level=1)
        temporary.replace(target)
