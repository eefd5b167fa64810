"""A video file, a folder of pictures, a camera or a stream in → its frames, so many a second, out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..errors import DataError, ImageError, UsageError, require
from ..images import Limits, read
from ..types import ImageArray

_UNKNOWN_RATE = 25.0  # frames a second of a stream that gives no times
_SPOILT = 2.0  # seconds after a damaged frame, at most, in which others may refer to it
_PATIENCE = 10.0  # seconds that a stream may be silent
_THUMBNAIL = (32, 18)
_JUMP = 0.15  # of the range from black to white, on average over a thumbnail: a cut, or a lamp


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Frame:
    """One picture of a video.

    Attributes:
        number: of the frame, counted from 0 as they are decoded; of the picture of a folder.
        time: seconds from the start.
        pixels: (H, W, 3) uint8 RGB, upright; None for one that could not be read.
        name: of its file, in a folder.
        jump: whether it looks altogether different from the sample before: where faces were says nothing.
        damage: one sentence on what is wrong with it; empty if nothing is.
    """

    number: int
    time: float
    pixels: ImageArray | None
    name: str = ""
    jump: bool = False
    damage: str = ""


def read_frames(
    source: str | os.PathLike[str] | Iterable[Any], *, fps: float = 5.0, limits: Limits | None = None
) -> Iterator[Frame]:
    """Samples of a video, in their order.

    Every frame is decoded, since others refer to it, and the samples alone are converted. A frame whose
    data is damaged, and those that may refer to it, come without pixels.

    Args:
        source: a video file; a folder of pictures, all of them, ``fps`` a second; ``camera:0``; an address
            such as ``rtsp://…``; or from Python arrays (H, W, 3) uint8 RGB, ``fps`` a second, or pairs
            (seconds, array).
        fps: samples a second; a video of fewer frames gives each of them.
        limits: what one picture of a folder may cost.

    Raises:
        UsageError: ``fps`` is not positive.
        DataError: there is no such file, or it holds no video.
        MissingExtra: PyAV is needed and not installed.
    """
    check_rate(fps)
    if not isinstance(source, str | os.PathLike):
        return _with_jumps(_of_arrays(source, fps))
    name = os.fsdecode(source)
    if os.path.isdir(name):
        from ..pipeline import expand

        return _with_jumps(_of_folder(name, expand([name]), fps, limits))
    av = require("av", "video", "reading a video")
    return _with_jumps(_of_video(av, _open(av, name), fps))


def check_rate(fps: float) -> None:
    """UsageError unless samples a second are a positive number."""
    if not (np.isfinite(fps) and fps > 0):
        raise UsageError(f"fps must be positive, but got {fps}")


def _of_arrays(source: Iterable[Any], fps: float) -> Iterator[Frame]:
    due = 0.0
    for number, item in enumerate(source):
        time, pixels = item if isinstance(item, tuple) else (number / fps, item)
        if isinstance(item, tuple):
            if time < due - 1e-9:
                continue
            due = _next_due(due, time, fps)
        yield Frame(number=number, time=float(time), pixels=read(pixels).pixels)


def _of_folder(folder: str, paths: list[str], fps: float, limits: Limits | None) -> Iterator[Frame]:
    for number, path in enumerate(paths):
        name = os.path.relpath(path, folder)
        try:
            yield Frame(number=number, time=number / fps, pixels=read(path, limits=limits).pixels, name=name)
        except ImageError as error:
            yield Frame(number=number, time=number / fps, pixels=None, name=name, damage=str(error))


def _of_video(av: Any, container: Any, fps: float) -> Iterator[Frame]:
    av.logging.set_level(av.logging.ERROR)  # of damage in a frame nothing else tells
    with container:
        stream = container.streams.video[0]
        rate = float(stream.average_rate or _UNKNOWN_RATE)
        due, start, number, spoilt_until = 0.0, None, 0, -1.0
        for damaged, frames in _decoded(av, container, stream):
            for frame in frames:
                time = number / rate if frame.time is None else float(frame.time)
                start = time if start is None else start
                time -= start
                if damaged:
                    spoilt_until = time + _SPOILT
                elif frame.key_frame:
                    spoilt_until = -1.0
                if time >= due - 1e-6:
                    due = _next_due(due, time, fps)
                    yield _converted(frame, number, time, spoilt=time <= spoilt_until)
                number += 1


def _open(av: Any, source: str) -> Any:
    options: dict[str, Any] = {}
    target = source
    if source.startswith("camera:"):
        target, options["format"] = f"/dev/video{source.removeprefix('camera:')}", "v4l2"
    elif source.startswith("rtsp:"):
        options |= {"timeout": (_PATIENCE, _PATIENCE), "options": {"rtsp_transport": "tcp"}}
    elif "://" in source:
        options["timeout"] = (_PATIENCE, _PATIENCE)
    elif not Path(source).is_file():
        raise DataError(f"there is no video {source!r}")
    try:
        container = av.open(target, **options)
    except (av.FFmpegError, OSError) as error:
        raise DataError(f"{source!r} can't be opened as a video: {_reason(error)}") from error
    if not container.streams.video:
        container.close()
        raise DataError(f"{source!r} has no video stream")
    return container


def _decoded(av: Any, container: Any, stream: Any) -> Iterator[tuple[bool, list[Any]]]:
    """What each packet gives, and whether decoding it said that its data is damaged."""
    packets = container.demux(stream)
    while True:
        with av.logging.Capture(local=False) as said:
            try:
                packet = next(packets, None)
            except (av.FFmpegError, OSError):  # a stream that ends early
                return
            if packet is None:
                return
            frames, refused = [], False
            try:
                frames = packet.decode()
            except (av.FFmpegError, ValueError):
                refused = True
        yield refused or any(level <= av.logging.ERROR for level, _, _ in said), frames


def _converted(frame: Any, number: int, time: float, *, spoilt: bool) -> Frame:
    if spoilt:
        return Frame(
            number=number, time=time, pixels=None, damage="its data is damaged, or that of a frame before"
        )
    upright = np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90))
    return Frame(number=number, time=time, pixels=np.ascontiguousarray(upright))


def _next_due(due: float, time: float, fps: float) -> float:
    """When the next sample is due: on the beat, and one beat later after a gap."""
    return due + 1 / fps if time < due + 1 / fps else time + 1 / fps


def _with_jumps(frames: Iterator[Frame]) -> Iterator[Frame]:
    before = None
    for frame in frames:
        if frame.pixels is None:
            yield frame
            continue
        small = Image.fromarray(frame.pixels).resize(_THUMBNAIL, Image.Resampling.BOX, reducing_gap=2.0)
        thumbnail = np.asarray(small, dtype=np.float32) / 255
        jump = before is not None and float(np.abs(thumbnail - before).mean()) > _JUMP
        before = thumbnail
        yield replace(frame, jump=jump) if jump else frame


def _reason(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or error).rstrip(".") or type(error).__name__
