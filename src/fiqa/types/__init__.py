"""The values that cross the seams of the library: frozen, validated, each with shape, unit and direction."""

from .card import MOST_BLOCKS, ModelCard
from .crops import CROP_SHAPE, CROP_SIZE, TEMPLATE, FloatArray, ImageArray, as_bytes, check_crops
from .face import ROTATIONS, Face
from .quality import STATUSES, BySpec, Measured, Quality, Reason, Status

__all__ = [
    "CROP_SHAPE",
    "CROP_SIZE",
    "MOST_BLOCKS",
    "ROTATIONS",
    "STATUSES",
    "TEMPLATE",
    "BySpec",
    "Face",
    "FloatArray",
    "ImageArray",
    "Measured",
    "ModelCard",
    "Quality",
    "Reason",
    "Status",
    "as_bytes",
    "check_crops",
]
