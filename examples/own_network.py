"""Score crops with a ViT checkpoint of your own, by the papers' methods, and keep its embeddings.

python examples/own_network.py model.pt HEADS crop.png [crop.png …]
"""

import sys

import numpy as np

import fiqa
from fiqa.images import load


def main(checkpoint: str, heads: str, *crops: str) -> None:
    methods = ["vitnt:blocks=0-11,alpha=8,weighting=last", "attn"]
    scorer = fiqa.Scorer(model=checkpoint, heads=int(heads), methods=methods, embedding=True, align="none")
    for quality in scorer.qualities(np.stack([load(crop) for crop in crops])):
        print(quality.raw, quality.embedding[:4])


if __name__ == "__main__":
    main(*sys.argv[1:])
