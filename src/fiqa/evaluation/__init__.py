"""Which quality to trust: data sets, recognisers and measures in → EDC, calibration and reports out.

Each name is imported when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import lazy

if TYPE_CHECKING:
    from .calibrator import fit_acceptance, fit_percentile
    from .datasets import DATASETS, Dataset, Templates, open_dataset, read_dataset
    from .evaluator import evaluate
    from .localiser import localise
    from .measurement import measure
    from .measures import Measure, as_measure
    from .metrics import (
        Comparisons,
        Curve,
        Draws,
        Resampled,
        UnreliableFMR,
        bootstrap_band,
        bootstrap_pauc,
        by_group,
        cosine_similarity,
        edc,
        edc_many,
        eer,
        fnmr_at_fmr,
        lfw_accuracy,
        monotone_share,
        pair_quality,
        spearman,
        threshold_at_fmr,
    )
    from .pairing import Pairing, pairing_of
    from .profiles import calibrate, fit_percentiles, fit_profile
    from .recognizers import RECOGNIZERS, PrecomputedEmbeddings, VectorCache, open_recognizer
    from .report import write_report, write_validation
    from .results import Evaluation, Settings
    from .rivals import RIVALS, open_rival
    from .score_lists import ListedScores, read_scores
    from .validator import propose, validate

_HOMES = {
    "calibrator": ["fit_acceptance", "fit_percentile"],
    "datasets": ["DATASETS", "Dataset", "Templates", "open_dataset", "read_dataset"],
    "evaluator": ["evaluate"],
    "localiser": ["localise"],
    "measurement": ["measure"],
    "measures": ["Measure", "as_measure"],
    "metrics": [
        *("Comparisons", "Curve", "Draws", "Resampled", "UnreliableFMR", "bootstrap_band", "bootstrap_pauc"),
        *("by_group", "cosine_similarity", "edc", "edc_many", "eer", "fnmr_at_fmr", "lfw_accuracy"),
        *("monotone_share", "pair_quality", "spearman", "threshold_at_fmr"),
    ],
    "pairing": ["Pairing", "pairing_of"],
    "profiles": ["calibrate", "fit_percentiles", "fit_profile"],
    "recognizers": ["RECOGNIZERS", "PrecomputedEmbeddings", "VectorCache", "open_recognizer"],
    "report": ["write_report", "write_validation"],
    "results": ["Evaluation", "Settings"],
    "rivals": ["RIVALS", "open_rival"],
    "score_lists": ["ListedScores", "read_scores"],
    "validator": ["propose", "validate"],
}

__all__ = [
    "DATASETS",
    "RECOGNIZERS",
    "RIVALS",
    "Comparisons",
    "Curve",
    "Dataset",
    "Draws",
    "Evaluation",
    "ListedScores",
    "Measure",
    "Pairing",
    "PrecomputedEmbeddings",
    "Resampled",
    "Settings",
    "Templates",
    "UnreliableFMR",
    "VectorCache",
    "as_measure",
    "bootstrap_band",
    "bootstrap_pauc",
    "by_group",
    "calibrate",
    "cosine_similarity",
    "edc",
    "edc_many",
    "eer",
    "evaluate",
    "fit_acceptance",
    "fit_percentile",
    "fit_percentiles",
    "fit_profile",
    "fnmr_at_fmr",
    "lfw_accuracy",
    "localise",
    "measure",
    "monotone_share",
    "open_dataset",
    "open_recognizer",
    "open_rival",
    "pair_quality",
    "pairing_of",
    "propose",
    "read_dataset",
    "read_scores",
    "spearman",
    "threshold_at_fmr",
    "validate",
    "write_report",
    "write_validation",
]

__getattr__, __dir__, _ = lazy.attach(__name__, _HOMES)
