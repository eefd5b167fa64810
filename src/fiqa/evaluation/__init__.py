"""Which quality to trust: EDC, verification rates, statistics, calibration. Each is imported when first used.

Data sets, recognisers and reports are submodules of their own.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fiqa.evaluation.calibrate import fit_acceptance, fit_percentile
    from fiqa.evaluation.curves import Curve, UnreliableFMR, edc, edc_many, pair_quality
    from fiqa.evaluation.statistics import (
        Resampled,
        bootstrap_band,
        bootstrap_pauc,
        by_group,
        monotone_share,
        spearman,
    )
    from fiqa.evaluation.verification import (
        cosine_similarity,
        eer,
        fnmr_at_fmr,
        lfw_accuracy,
        threshold_at_fmr,
    )

__all__ = [
    "Curve",
    "Resampled",
    "UnreliableFMR",
    "bootstrap_band",
    "bootstrap_pauc",
    "by_group",
    "cosine_similarity",
    "edc",
    "edc_many",
    "eer",
    "fit_acceptance",
    "fit_percentile",
    "fnmr_at_fmr",
    "lfw_accuracy",
    "monotone_share",
    "pair_quality",
    "spearman",
    "threshold_at_fmr",
]

_NAMES = {
    "calibrate": ("fit_acceptance", "fit_percentile"),
    "curves": ("Curve", "UnreliableFMR", "edc", "edc_many", "pair_quality"),
    "statistics": ("Resampled", "bootstrap_band", "bootstrap_pauc", "by_group", "monotone_share", "spearman"),
    "verification": ("cosine_similarity", "eer", "fnmr_at_fmr", "lfw_accuracy", "threshold_at_fmr"),
}
_HOME = {name: module for module, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
