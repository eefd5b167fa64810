"""A photo's facts, a face and its crop in → why the face may be less useful, and what to do about it, out."""

from ..types import Measured, Reason
from .advice import ADVICE, CODES
from .diagnosis import Diagnosis, diagnose, no_face, unexplained
from .geometry import Photo
from .policy import EXPOSURE, Policy

__all__ = [
    "ADVICE",
    "CODES",
    "EXPOSURE",
    "Diagnosis",
    "Measured",
    "Photo",
    "Policy",
    "Reason",
    "diagnose",
    "no_face",
    "unexplained",
]
