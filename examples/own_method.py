"""A method of your own, how evenly attention falls on the patches: own_method.py photo.jpg [photo.jpg …]"""

import sys
from dataclasses import dataclass

import fiqa
from fiqa.methods import METHODS, Method


@METHODS.register
@dataclass(frozen=True, kw_only=True)
class Evenness(Method):
    name, summary = "evenness", "how evenly the patches receive attention in the embedded model's last block"

    def needs(self):
        return ("received/7",)  # names as in fiqa.evidence

    def score(self, evidence):
        return -evidence["received/7"].std(axis=1)  # (B, N) → (B,), higher = better


if __name__ == "__main__":
    for quality in fiqa.Scorer(methods=["evenness"]).stream(sys.argv[1:]):
        print(quality)
