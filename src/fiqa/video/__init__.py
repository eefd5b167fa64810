"""A video, a burst or a camera in → the best shots of each person out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import lazy

if TYPE_CHECKING:
    from .choice import Choice
    from .frames import Frame, read_frames
    from .results import Best, Shot
    from .shots import best_shots
    from .tracks import Follow

__all__ = ["Best", "Choice", "Follow", "Frame", "Shot", "best_shots", "read_frames"]

__getattr__, __dir__, _ = lazy.attach(
    __name__,
    {
        "choice": ["Choice"],
        "frames": ["Frame", "read_frames"],
        "results": ["Best", "Shot"],
        "shots": ["best_shots"],
        "tracks": ["Follow"],
    },
)
