"""torch: a network in, evidence out, on the CPU or a GPU."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from .. import evidence as names
from ..errors import require
from ..evidence import Evidence, Name
from ..types import FloatArray, ImageArray
from .base import NamedEngine, available_threads, in_passes
from .registry import ENGINES

if TYPE_CHECKING:
    from torch import Tensor

    from ..network.vit import ViT


@ENGINES.register
class TorchEngine(NamedEngine):
    """torch, on the CPU or a GPU; ``bf16`` runs the blocks under autocast, the scores stay float32.

    It runs a copy of the network's modules, in evaluation mode, which shares the weights if they are on the
    device already: the network given keeps its mode and its device.

    Args:
        source: the network.
        threads: processors while a pass runs on the CPU; torch's own number is put back afterwards. None:
            torch's own number.
        precision: ``fp32`` or ``bf16``.
        device: ``auto`` (``cuda`` if there is one), ``cpu``, ``cuda``, ``cuda:1``, ``mps``, …

    Raises:
        UsageError: no such precision or device.
        MissingExtra: torch is not installed.
    """

    name = "torch"
    precisions = ("fp32", "bf16")
    reads = "network"
    needs = ("torch", "torch")
    rank = 3

    def __init__(
        self, source: ViT, *, threads: int | None = None, precision: str = "fp32", device: str = "auto"
    ) -> None:
        self.check(precision=precision, device=device)
        torch = require("torch", "torch", "engine 'torch'")
        from ..network.card import describe
        from ..network.copies import evaluation_copy

        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        self.precision = precision
        self.card = describe(source)
        self.threads = None if threads is None else available_threads(threads)
        self.device = device
        self.at_once = 32 if device == "cpu" else 256
        self._vit = evaluation_copy(source, device)

    def __reduce__(self) -> tuple[Any, ...]:
        made = partial(type(self), threads=self.threads, precision=self.precision, device=self.device)
        return made, (self._vit,)

    @classmethod
    def devices(cls) -> tuple[str, ...]:
        torch = require("torch", "torch", "engine 'torch'")
        found = ["cpu"]
        if torch.cuda.is_available():
            found += ["cuda", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
        found += ["mps"] if torch.backends.mps.is_available() else []
        return tuple(found)

    def run(self, crops: ImageArray, wanted: Sequence[str]) -> Evidence:
        wanted = names.read_names(wanted, self.card.depth)
        with _threads(self.threads if self.device == "cpu" else None):
            values = in_passes(lambda part: self._pass(part, wanted), crops, self.at_once)
        return Evidence(dict(zip(wanted, values, strict=True)), self.card.grid)

    def _pass(self, crops: ImageArray, wanted: Sequence[Name]) -> list[FloatArray]:
        import torch

        from ..network.recorder import record

        on_device = torch.from_numpy(crops).to(self.device)
        with (
            torch.inference_mode(),
            torch.autocast(on_device.device.type, torch.bfloat16, enabled=self.precision == "bf16"),
        ):
            found = record(self._vit, on_device, wanted, _Places(len(wanted)))
        return [found[name].float().cpu().numpy() for name in wanted]


_LOCK = threading.Lock()
_FORKED = False


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    """torch's number of threads, which is one per process, for the time of a pass; passes then take turns.

    In a forked process it is 1: the threads of torch's pool did not come along, and it would wait for them.
    """
    import torch

    if _FORKED:
        count = 1
    if count is None:
        yield
        return
    with _LOCK:
        before = torch.get_num_threads()
        torch.set_num_threads(count)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def _after_fork() -> None:
    global _FORKED, _LOCK
    _FORKED, _LOCK = True, threading.Lock()


if hasattr(os, "register_at_fork"):  # there is no fork on Windows
    os.register_at_fork(after_in_child=_after_fork)


class _Places:
    """Room for all small results of a pass, taken once.

    Small results that stay among large temporaries that go would pin the C library's heap, and the process
    would grow with depth.
    """

    def __init__(self, count: int) -> None:
        self._left = count
        self._rows: Tensor | None = None

    def __call__(self, found: dict[Name, Tensor]) -> dict[Name, Tensor]:
        """The same values; those of shape (B,) and (B, N) are moved into their place."""
        return {name: value if value.ndim > 2 else self._place(value) for name, value in found.items()}

    def _place(self, value: Tensor) -> Tensor:
        if self._rows is None or self._rows.shape[1] < value.numel():
            self._rows = value.new_empty(self._left, value.numel())
        self._left -= 1
        return self._rows[self._left, : value.numel()].view_as(value).copy_(value)
