"""A code in → one imperative sentence for a person out: the one table to translate.

The sentences speak of camera, light and picture, never of the person.
"""

from __future__ import annotations

from typing import Literal, get_args

Code = Literal[
    "no_face",
    "over_exposure",
    "under_exposure",
    "compression",
    "cut_off",
    "blank_area",
    "noise",
    "resolution",
    "sharpness",
    "too_close",
    "yaw",
    "pitch",
    "roll",
    "uneven_light",
    "low_contrast",
    "several_faces",
    "unexplained",
]
CODES: tuple[Code, ...] = get_args(Code)
"""Every code, in the order in which the reasons of a face stand."""

ADVICE: dict[str, str] = {
    "no_face": "Take a picture that shows a whole face from the front.",
    "over_exposure": "Use less light, or a shorter exposure.",
    "under_exposure": "Add light from the front, or expose longer.",
    "compression": "Save the picture with less compression.",
    "cut_off": "Move the camera so that the whole face is in the picture.",
    "blank_area": "Remove what covers the face or the picture.",
    "noise": "Add light, so that the camera needs less amplification.",
    "resolution": "Come closer, or use a picture with more pixels.",
    "sharpness": "Focus the camera on the face.",
    "motion": "Hold the camera and the face still.",
    "too_close": "Step back from the camera.",
    "yaw": "Turn the face to the camera.",
    "pitch": "Hold the camera at the height of the eyes.",
    "roll": "Hold the camera and the head upright.",
    "uneven_light": "Light both sides of the face evenly.",
    "low_contrast": "Wipe the lens, and avoid haze and light behind the face.",
    "several_faces": "Show one face only.",
    "unexplained": "Check that nothing covers the face.",
}
"""Code → advice. ``motion`` is what ``sharpness`` says where the blur has a direction."""
