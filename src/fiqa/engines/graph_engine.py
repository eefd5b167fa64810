"""What ONNX Runtime and OpenVINO share: an evidence graph, cut to each request, compiled once."""

from __future__ import annotations

import ctypes
import itertools
import os
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, ClassVar

import numpy as np

from .. import evidence as names
from ..errors import DataError, FiqaError, UsageError
from ..evidence import Evidence, Name
from ..graph import onnx_file
from ..graph.checker import read_card
from ..graph.trial import reason
from ..types import FloatArray, ImageArray
from .base import Compiled, NamedEngine, available_threads, in_passes

_ALIVE: weakref.WeakSet[GraphEngine] = weakref.WeakSet()


class GraphEngine(NamedEngine):
    """An engine on an evidence graph; thread-safe, can be pickled, and opens anew in a forked process.

    It runs a pass on all its threads; :meth:`in_streams` gives one that runs as many passes at once, of one
    thread each, which wait for nobody.

    Args:
        source: the serialised evidence graph.
        threads: of one pass; None: all processors of this process.
        precision: one of ``precisions``.
        device: ``auto`` or one of :meth:`devices`.

    Raises:
        DataError: the graph is none, or can't be run (as far as that is seen without compiling it).
        UsageError: no such precision or device.
    """

    streams: int = 1
    at_once: ClassVar[int] = 16  # crops a pass: with more, a block's values leave the processor's caches

    def __init__(
        self, source: bytes, *, threads: int | None = None, precision: str = "fp32", device: str = "auto"
    ) -> None:
        self.check(precision=precision, device=device)
        self.card = read_card(source)
        self.precision = precision
        self.threads = available_threads(threads)
        self.device = device
        self._wide: GraphEngine | None = None
        self._source = source
        self._offered = frozenset(onnx_file.outputs(source))
        self._compiled: dict[tuple[str, ...], Compiled] = {}
        self._lock = threading.Lock()
        _ALIVE.add(self)

    def __reduce__(self) -> tuple[Any, ...]:
        made = partial(type(self), threads=self.threads, precision=self.precision, device=self.device)
        return made, (self._source,)

    def in_streams(self) -> GraphEngine:
        if self.threads == 1:
            return self
        with self._lock:
            if self._wide is None:
                made, source = self.__reduce__()
                self._wide = made(*source, threads=1)
                self._wide.streams = self.threads
            return self._wide

    def run(self, crops: ImageArray, wanted: Sequence[str]) -> Evidence:
        wanted = names.read_names(wanted, self.card.depth)
        sources = dict.fromkeys(itertools.chain.from_iterable(map(self._sources, wanted)))
        # in the order of the walk, which run times then follow: else they keep what the later outputs read
        fetched = tuple(sorted(sources, key=lambda name: name.last_block(self.card.depth)))
        compiled = self._ready(fetched)
        with self._told("can't be run"):
            values = in_passes(compiled, crops, self.at_once)
        arrays = dict(zip(fetched, values, strict=True))
        self._check_grid(arrays)
        return Evidence({name: self._derive(name, arrays) for name in wanted}, self.card.grid)

    def offers(self, wanted: Sequence[str]) -> None:
        """UsageError unless the graph gives all the evidence ``wanted``."""
        for name in names.read_names(wanted, self.card.depth):
            self._sources(name)

    def _ready(self, fetched: tuple[str, ...]) -> Compiled:
        """The graph cut to ``fetched``, compiled once however many threads ask for it at a time."""
        with self._lock:
            if fetched not in self._compiled:
                with self._told("can't be compiled"):
                    self._compiled[fetched] = self._compile(onnx_file.prune(self._source, fetched), fetched)
            return self._compiled[fetched]

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """A run time's own exceptions, of many classes, as one sentence."""
        try:
            yield
        except (FiqaError, MemoryError):
            raise
        except Exception as error:
            raise DataError(f"{self.card.name} {what} by {self.name}: {reason(error)}") from error

    def _check_grid(self, arrays: dict[Name, FloatArray]) -> None:
        """DataError unless a number per patch comes in as many patches as the card says."""
        rows, columns = self.card.grid
        for name, values in arrays.items():
            per_patch = values.ndim > 1 and name != names.EMBEDDING
            if per_patch and values.shape[1] != rows * columns:
                raise DataError(
                    f"the card of {self.card.name} must say how its graph cuts a crop, but says "
                    f"{rows}×{columns} where {name!r} has {values.shape[1]} patches: export it anew"
                )

    def _sources(self, name: Name) -> tuple[Name, ...]:
        """The outputs of the graph that answer ``name``."""
        if name in self._offered:
            return (name,)
        if name.ends and self._offered.issuperset(name.ends):  # a step between any two blocks
            return name.ends
        raise UsageError(f"this graph does not give {name!r}; export one that does, or use engine='torch'")

    def _derive(self, name: Name, arrays: dict[Name, FloatArray]) -> FloatArray:
        if name in arrays:
            return arrays[name]
        before, after = (arrays[source] for source in self._sources(name))
        distance: FloatArray = np.linalg.norm(after - before, axis=-1).astype(np.float32)
        return distance

    def _compile(self, graph: bytes, fetched: tuple[str, ...]) -> Compiled:
        raise NotImplementedError

    def _open_anew(self) -> None:
        # The threads of what was compiled did not come along into this process, and its destructor would
        # wait for them: so it is given a reference that nobody will drop.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._compiled))
        self._compiled, self._lock = {}, threading.Lock()


def _after_fork() -> None:
    for engine in list(_ALIVE):
        engine._open_anew()


if hasattr(os, "register_at_fork"):  # there is no fork on Windows
    os.register_at_fork(after_in_child=_after_fork)
