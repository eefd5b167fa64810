"""Comparisons and qualities in → error rates, EDC curves and intervals out; NumPy alone."""

from .comparisons import Comparisons, Draws
from .curves import Curve
from .intervals import Resampled, bootstrap_band, bootstrap_pauc
from .protocols import UnreliableFMR, edc, edc_many, pair_quality
from .statistics import by_group, monotone_share, spearman
from .verification import cosine_similarity, eer, fnmr_at_fmr, lfw_accuracy, threshold_at_fmr

__all__ = [
    "Comparisons",
    "Curve",
    "Draws",
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
]
