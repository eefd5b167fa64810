"""A rival of another package: the contrast of a crop."""

from dataclasses import dataclass

from fiqa.evaluation.rivals.registry import RivalSpec


class _Contrast:
    name, identity, passes = "contrast", "contrast 1", 0

    def score_crops(self, crops):
        return crops.std(axis=(1, 2, 3)).astype("float32")


@dataclass(frozen=True, kw_only=True)
class Contrast(RivalSpec):
    name, summary, passes = "contrast", "standard deviation of the crop", 0

    def open(self):
        return _Contrast()
