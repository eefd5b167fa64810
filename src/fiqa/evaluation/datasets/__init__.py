"""Readers for the face benchmarks, each in the layout that people have on disk."""

from .crops import by_detection, iter_crops
from .folders import SYNFIQA_GROUPS, read_adience, read_folder, read_synfiqa
from .ijbc import read_ijbc
from .insightface import read_bin
from .pairs import read_cfp, read_pairs
from .registry import DATASETS, DatasetInfo, open_dataset, read_dataset
from .types import Dataset, ImageSource, Templates

__all__ = [
    "DATASETS",
    "SYNFIQA_GROUPS",
    "Dataset",
    "DatasetInfo",
    "ImageSource",
    "Templates",
    "by_detection",
    "iter_crops",
    "open_dataset",
    "read_adience",
    "read_bin",
    "read_cfp",
    "read_dataset",
    "read_folder",
    "read_ijbc",
    "read_pairs",
    "read_synfiqa",
]
