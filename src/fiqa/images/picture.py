"""What reading gives: the pixels, and what has to be known beside them."""

from __future__ import annotations

from dataclasses import dataclass

from ..types import ImageArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Picture:
    """One image, read.

    Attributes:
        pixels: (H, W, 3) uint8 RGB, upright.
        scale: side of ``pixels`` ÷ side of the full picture: 1, or 1/2, 1/4 or 1/8 where a JPEG was decoded
            at a reduced size. A place x in ``pixels`` is at ``x / scale`` in the full picture.
        remark: one sentence on what is missing of the picture; empty if nothing is.
        jpeg_quality: 1 to 100, that the JPEG file was last saved with, by its tables; None for no JPEG file.
    """

    pixels: ImageArray
    scale: float = 1.0
    remark: str = ""
    jpeg_quality: int | None = None
