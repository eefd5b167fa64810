"""An encoded image that has a name but no file of its own, such as a member of an archive."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..errors import ImageError


@dataclass(frozen=True, slots=True, eq=False)
class EncodedImage:
    """Bytes with the name that their row will carry.

    Attributes:
        path: the name, such as ``shard.tar/0001.jpg``.
        data: the bytes of an image file.
        error: why there are none; raised where the image would be read.
    """

    path: str
    data: bytes = field(default=b"", repr=False)
    error: ImageError | None = None
