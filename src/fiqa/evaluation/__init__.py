"""Which quality to trust: EDC, verification, statistics, calibration. Imported when first used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fiqa.evaluation.curves import Curve, UnreliableFMR, edc, edc_many, pair_quality

__all__ = ["Curve", "UnreliableFMR", "edc", "edc_many", "pair_quality"]

_HOME = {
    "Curve": "curves",
    "UnreliableFMR": "curves",
    "edc": "curves",
    "edc_many": "curves",
    "pair_quality": "curves",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
