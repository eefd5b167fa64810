"""What an engine is: crops in, evidence out; and what its class says of itself."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import numpy as np

from ..errors import UsageError, require
from ..evidence import Evidence
from ..types import CROP_SHAPE, FloatArray, ImageArray, ModelCard

Compiled = Callable[[ImageArray], Sequence[FloatArray]]


@runtime_checkable
class Engine(Protocol):
    """What runs a network; any object with these four can be a Scorer's ``engine``.

    Attributes:
        name: as in tables, for example ``"openvino"``.
        precision: ``"fp32"`` or a faster, less exact one.
        card: which network it runs.
    """

    precision: str
    card: ModelCard

    @property
    def name(self) -> str: ...

    def run(self, crops: ImageArray, wanted: Sequence[str]) -> Evidence:
        """Evidence ``wanted`` for crops uint8 (B, 112, 112, 3) RGB, B ≥ 1."""
        ...


class NamedEngine:
    """Base of the engines that have a name to choose them by; ``@ENGINES.register`` makes one known.

    Made from what it reads: ``kind(source, threads=…, precision=…, device=…)``.

    Attributes:
        name: what users type.
        precisions: that it can run in.
        reads: an evidence ``graph`` (bytes of an .onnx) or a ``network`` (a fiqa.ViT).
        needs: the module that must be installed, and the extra that brings it; None: comes with the core.
        rank: ``auto`` takes the lowest that is installed; measured in benchmarks/engines.py.
        streams: passes that it may be asked for at once, each from a thread of its own; None: it is asked by
            one thread, for one pass after another.
    """

    name: ClassVar[str]
    streams: int | None = None
    precision: str
    card: ModelCard
    precisions: ClassVar[tuple[str, ...]] = ("fp32",)
    reads: ClassVar[Literal["graph", "network"]] = "graph"
    needs: ClassVar[tuple[str, str] | None] = None
    rank: ClassVar[int] = 100

    def __init__(
        self, source: Any, *, threads: int | None = None, precision: str = "fp32", device: str = "auto"
    ) -> None:
        raise NotImplementedError

    def run(self, crops: ImageArray, wanted: Sequence[str]) -> Evidence:
        """See :class:`Engine`."""
        raise NotImplementedError

    def in_streams(self) -> Engine:
        """The same network for many batches: passes side by side, if that is faster than one on all threads.

        Its numbers are the same to the last bit.
        """
        return self

    @classmethod
    def devices(cls) -> tuple[str, ...]:
        """The devices that there are for it on this machine."""
        return ("cpu",)

    @classmethod
    def is_installed(cls) -> bool:
        """Whether what it needs is there."""
        return cls.needs is None or installed(cls.needs[0])

    @classmethod
    def check(cls, *, precision: str = "fp32", device: str = "auto") -> None:
        """Say what does not fit before anything costs time.

        Raises:
            UsageError: it has no such precision or device.
            MissingExtra: what it needs is not installed.
        """
        if precision not in cls.precisions:
            offered = ", ".join(cls.precisions)
            raise UsageError(f"precision of {cls.name} must be one of {offered}, but got {precision!r}")
        if not cls.is_installed() and cls.needs is not None:
            require(*cls.needs, f"engine {cls.name!r}")
        if device not in ("auto", "cpu") and device not in (there := cls.devices()):
            offered = ", ".join(("auto", *there))
            raise UsageError(f"device of {cls.name} must be one of {offered} here, but got {device!r}")


def in_streams(engine: Engine) -> tuple[Engine, int | None]:
    """What runs many batches of an engine's network, and its ``streams``, as of :class:`NamedEngine`."""
    make = getattr(engine, "in_streams", None)
    if make is None:
        return engine, None
    wide = make()
    return wide, wide.streams


def installed(module: str) -> bool:
    """Whether a module can be imported, without importing it."""
    return importlib.util.find_spec(module) is not None


def available_threads(threads: int | None = None) -> int:
    """``threads``, or the processors that this process may use."""
    if threads is None:
        affinity = getattr(os, "sched_getaffinity", None)
        return len(affinity(0)) if affinity else os.cpu_count() or 1
    if threads < 1:
        raise UsageError(f"threads must be at least 1, but got {threads}")
    return threads


def in_passes(run: Compiled, crops: ImageArray, size: int) -> list[FloatArray]:
    """The arrays that ``run`` gives for any number of crops, by passes of at most ``size`` of them."""
    n = len(crops)
    if n <= size:
        return list(run(np.ascontiguousarray(crops)))
    parts = []
    for start in range(0, n, size):
        part = np.ascontiguousarray(crops[start : start + size])
        if len(part) < size:  # filled up: a pass of another size may differ in its last bits
            part = np.concatenate([part, np.zeros((size - len(part), *CROP_SHAPE), np.uint8)])
        parts.append(run(part))
    return [np.concatenate(values)[:n] for values in zip(*parts, strict=True)]
