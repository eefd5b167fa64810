"""A data set reader of another package: files named PERSON-NUMBER.png in one folder."""

import numpy as np

from fiqa.evaluation.datasets import Dataset
from fiqa.evaluation.datasets.registry import DatasetInfo


def _read(path):
    images = sorted(path.glob("*.png"))
    people = [image.stem.partition("-")[0] for image in images]
    return Dataset("flat", images, tuple(image.name for image in images), subjects=np.array(people))


FLAT = DatasetInfo(
    name="flat",
    title="files named PERSON-NUMBER.png",
    needs=("folder of PERSON-NUMBER.png",),
    source="-",
    comparisons="all against all",
    read=_read,
)
