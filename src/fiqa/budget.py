"""Compute budgets: how deep a network may run for a share of its pass, for GFLOPs or for milliseconds."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .engines.base import Engine
from .errors import UsageError
from .methods.base import Method, needs
from .types import CROP_SHAPE

Unit = Literal["%", "gflops", "ms"]
_FORM = re.compile(r"\s*([0-9]*\.?[0-9]+)\s*(%|gflops?|ms)\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit on one face's forward pass.

    Attributes:
        amount: positive.
        unit: ``%`` of the full pass's GFLOPs, ``gflops``, or ``ms`` measured on the engine in use.

    >>> Budget.parse("50%")
    Budget(amount=50.0, unit='%')
    """

    amount: float
    unit: Unit

    def __post_init__(self) -> None:
        if self.unit == "%" and self.amount > 100:
            raise UsageError(f"a budget is at most the whole pass, 100%, but got {self}")

    @classmethod
    def parse(cls, text: str) -> Budget:
        """Read ``50%``, ``3 GFLOPs`` or ``20 ms``; UsageError for anything else."""
        match = _FORM.fullmatch(text)
        if match is None or not 0 < float(match[1]) < math.inf:
            raise UsageError(
                f"a budget is a share, GFLOPs or milliseconds (50%, 3GFLOPs, 20ms), but got {text!r}"
            )
        unit = match[2].lower()
        return cls(float(match[1]), "%" if unit == "%" else "ms" if unit == "ms" else "gflops")

    def depth(self, engine: Engine, methods: Sequence[Method]) -> int:
        """The number of blocks within the budget, at least 1; time is measured with ``methods`` cut to it.

        Raises:
            UsageError: not even one block fits, or the model does not say what its blocks cost.
        """
        card = engine.card
        if self.unit == "ms":
            return self._measured(engine, methods)
        if not card.gflops:
            raise UsageError(f"{card.name} does not say what its blocks cost; give the budget in ms")
        limit = self.amount / 100 * card.gflops[-1] if self.unit == "%" else self.amount
        within = sum(cost <= limit + 1e-9 for cost in card.gflops)
        least = _least(methods)
        if within < least:
            cost = card.gflops[least - 1]
            raise UsageError(f"{least} of {card.name}'s blocks take {cost:.3g} GFLOPs, more than {self}")
        return within

    def _measured(self, engine: Engine, methods: Sequence[Method]) -> int:
        least = _least(methods)
        low, high = least - 1, engine.card.depth  # the deepest that is known to fit, and the last to try
        while low < high:
            middle = (low + high + 1) // 2
            cut = [method.limited(engine.card, middle) for method in methods]
            if milliseconds(engine, needs(cut)) <= self.amount:
                low = middle
            else:
                high = middle - 1
        if low < least:
            raise UsageError(f"{least} of {engine.card.name}'s blocks do not run within {self} here")
        return low

    def __str__(self) -> str:
        return f"{self.amount:g}{'%' if self.unit == '%' else ' GFLOPs' if self.unit == 'gflops' else ' ms'}"


def _least(methods: Sequence[Method]) -> int:
    return max((method.least_depth for method in methods), default=1)


def milliseconds(engine: Engine, wanted: Sequence[str], *, batch_size: int = 1, repeats: int = 5) -> float:
    """Median time of one face on ``engine``, in ms, for evidence ``wanted``, after a warm-up."""
    crops = np.zeros((batch_size, *CROP_SHAPE), dtype=np.uint8)
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        engine.run(crops, wanted)
        times.append(time.perf_counter() - start)
    return float(np.median(times[1:])) * 1e3 / batch_size
