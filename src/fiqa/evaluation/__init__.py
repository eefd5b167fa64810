"""Which quality to trust: EDC, verification rates, statistics, calibration. Each is imported when first used.

Data sets, recognisers and reports are submodules of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import lazy

if TYPE_CHECKING:
    from .calibrator import fit_acceptance, fit_percentile
    from .metrics.curves import Curve, UnreliableFMR, edc, edc_many, pair_quality
    from .metrics.statistics import (
        Resampled,
        bootstrap_band,
        bootstrap_pauc,
        by_group,
        monotone_share,
        spearman,
    )
    from .metrics.verification import cosine_similarity, eer, fnmr_at_fmr, lfw_accuracy, threshold_at_fmr

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

__getattr__, __dir__, _ = lazy.attach(
    __name__,
    {
        "calibrator": ["fit_acceptance", "fit_percentile"],
        "metrics": [
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
            "fnmr_at_fmr",
            "lfw_accuracy",
            "monotone_share",
            "pair_quality",
            "spearman",
            "threshold_at_fmr",
        ],
    },
)
