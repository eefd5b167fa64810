"""Engines: crops in, evidence out, on ONNX Runtime (core), OpenVINO or torch (extras).

All three answer the same names with the same numbers; they differ in speed. An engine cuts its network down
to the names of a request, so that an early exit costs no more than the blocks it needs.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from .. import evidence as names
from ..errors import DataError, UsageError, unknown
from ..evidence import Evidence
from ..graph import onnx_file as _graph
from ..types import CROP_SHAPE, FloatArray, ImageArray, ModelCard

if TYPE_CHECKING:
    pass

ENGINES = ("openvino", "onnxruntime", "torch")  # fastest first, measured in benchmarks/engines.py
PRECISIONS = {
    "openvino": ("fp32", "bf16", "int8"),
    "onnxruntime": ("fp32", "int8"),
    "torch": ("fp32", "bf16"),
}
INPUT = "crops"
Compiled = Callable[[ImageArray], Sequence[FloatArray]]


class Engine(Protocol):
    """What runs a network. ``name`` and ``precision`` say how; ``card`` says which."""

    name: str
    precision: str
    card: ModelCard

    def run(self, crops: ImageArray, wanted: Sequence[str]) -> Evidence:
        """Evidence ``wanted`` for crops uint8 (B, 112, 112, 3) RGB, B ≥ 1."""
        ...


def choose(engine: str, *, exportable: bool) -> str:
    """The engine to use: ``engine`` itself, or for ``auto`` the fastest that is installed.

    Args:
        engine: ``auto``, ``openvino``, ``onnxruntime`` or ``torch``.
        exportable: whether an ONNX graph is at hand or can be made.
    """
    if engine != "auto":
        if engine not in ENGINES:
            raise unknown("engine", engine, ("auto", *ENGINES))
        return engine
    if not exportable:
        return "torch"
    return "openvino" if installed("openvino") else "onnxruntime"


def installed(module: str) -> bool:
    """Whether a module can be imported, without importing it."""
    return importlib.util.find_spec(module) is not None


def check_precision(engine: str, precision: str) -> None:
    """UsageError unless ``engine`` can run in ``precision``."""
    if precision not in PRECISIONS[engine]:
        offered = ", ".join(PRECISIONS[engine])
        raise UsageError(f"precision of {engine} must be one of {offered}, but got {precision!r}")


def available_threads(threads: int | None = None) -> int:
    """``threads``, or the processors that this process may use."""
    if threads is None:
        affinity = getattr(os, "sched_getaffinity", None)
        return len(affinity(0)) if affinity else os.cpu_count() or 1
    if threads < 1:
        raise UsageError(f"threads must be at least 1, but got {threads}")
    return threads


class GraphEngine:
    """What ONNX Runtime and OpenVINO share: an evidence graph, cut to each request, compiled once."""

    name = ""
    at_once = 16  # crops a pass: with more, what a block works on leaves the processor's caches

    def __init__(self, graph: bytes, *, threads: int | None = None, precision: str = "fp32") -> None:
        check_precision(self.name, precision)
        card = _graph.metadata(graph).get("fiqa.card")
        if card is None:
            raise DataError("this ONNX file is no evidence graph: make one with 'fiqa export'")
        self.card = ModelCard.from_json(card)
        self.precision = precision
        self.threads = available_threads(threads)
        self._source = graph
        self._offered = frozenset(_graph.outputs(graph))
        self._compiled: dict[tuple[str, ...], Compiled] = {}

    def run(self, crops: ImageArray, wanted: Sequence[str]) -> Evidence:
        wanted = names.check_names(wanted, self.card.depth)
        sources = dict.fromkeys(itertools.chain.from_iterable(map(self._sources, wanted)))
        # in the order of the walk, which run times then follow: else they keep what the later outputs read
        fetched = tuple(sorted(sources, key=lambda name: names.last_block(name, self.card.depth)))
        if fetched not in self._compiled:
            self._compiled[fetched] = self._compile(_graph.prune(self._source, fetched), fetched)
        values = in_passes(self._compiled[fetched], crops, self.at_once)
        arrays = dict(zip(fetched, values, strict=True))
        return Evidence({name: self._derive(name, arrays) for name in wanted}, self.card.grid)

    def check(self, wanted: Sequence[str]) -> None:
        """UsageError unless the graph gives all the evidence ``wanted``."""
        for name in names.check_names(wanted, self.card.depth):
            self._sources(name)

    def _sources(self, name: str) -> tuple[str, ...]:
        """The outputs of the graph that answer ``name``."""
        if name in self._offered:
            return (name,)
        if name.startswith("step/"):  # any two blocks, from their states
            _, blocks, norm = name.split("/")
            ends = tuple(names.state(int(block), norm) for block in blocks.split("-"))
            if self._offered.issuperset(ends):
                return ends
        raise UsageError(f"this graph does not give {name!r}; export one that does, or use engine='torch'")

    def _derive(self, name: str, arrays: dict[str, FloatArray]) -> FloatArray:
        if name in arrays:
            return arrays[name]
        before, after = (arrays[source] for source in self._sources(name))
        return np.linalg.norm(after - before, axis=-1).astype(np.float32)

    def _compile(self, graph: bytes, fetched: tuple[str, ...]) -> Compiled:
        raise NotImplementedError


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
