"""torch: a network in, evidence out, on the CPU or a GPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .. import evidence as names
from ..evidence import Evidence
from ..types import FloatArray, ImageArray
from .base import available_threads, check_precision, in_passes

if TYPE_CHECKING:
    from torch import Tensor

    from ..network.vit import ViT


class TorchEngine:
    """torch, on the CPU or a GPU; ``bf16`` runs the blocks under autocast, the scores stay float32."""

    name = "torch"

    def __init__(
        self, vit: ViT, *, device: str = "auto", threads: int | None = None, precision: str = "fp32"
    ) -> None:
        import torch

        from ..network.card import describe

        check_precision(self.name, precision)
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        if threads is not None and device == "cpu":
            torch.set_num_threads(available_threads(threads))
        self.precision = precision
        self.card = describe(vit)
        self._vit = vit.to(device).eval()
        self._device = torch.device(device)
        self.at_once = 32 if self._device.type == "cpu" else 256

    def run(self, crops: ImageArray, wanted: Sequence[str]) -> Evidence:
        wanted = names.check_names(wanted, self.card.depth)
        values = in_passes(lambda part: self._pass(part, wanted), crops, self.at_once)
        return Evidence(dict(zip(wanted, values, strict=True)), self.card.grid)

    def _pass(self, crops: ImageArray, wanted: Sequence[str]) -> list[FloatArray]:
        import torch

        from ..network.recorder import record

        on_device = torch.from_numpy(crops).to(self._device)
        with (
            torch.inference_mode(),
            torch.autocast(self._device.type, torch.bfloat16, enabled=self.precision == "bf16"),
        ):
            found = record(self._vit, on_device, wanted, _Places(len(wanted)))
        return [found[name].float().cpu().numpy() for name in wanted]


class _Places:
    """Room for all small results of a pass, taken once.

    Small results that stay among large temporaries that go would pin the C library's heap, and the process
    would grow with depth.
    """

    def __init__(self, count: int) -> None:
        self._left = count
        self._rows: Tensor | None = None

    def __call__(self, found: dict[str, Tensor]) -> dict[str, Tensor]:
        """The same values; those of shape (B,) and (B, N) are moved into their place."""
        return {name: value if value.ndim > 2 else self._place(value) for name, value in found.items()}

    def _place(self, value: Tensor) -> Tensor:
        if self._rows is None or self._rows.shape[1] < value.numel():
            self._rows = value.new_empty(self._left, value.numel())
        self._left -= 1
        return self._rows[self._left, : value.numel()].view_as(value).copy_(value)
