"""Quality beside the recognition embedding of your own ViT, in one forward pass.

python examples/own_network_with_embedding.py model.pt HEADS crop.png [crop.png …]
"""

import sys

import numpy as np

import fiqa
from fiqa.images import load


def main(checkpoint: str, heads: str, *crops: str) -> None:
    vit = fiqa.load_checkpoint(checkpoint, heads=int(heads))  # strict: a wrong file names its first wrong key
    scorer = fiqa.Scorer(vit, ["vitnt", "attn"], embedding=True)
    for path, quality in zip(crops, scorer.qualities(np.stack([load(crop) for crop in crops])), strict=True):
        print(path, dict(quality.raw), quality.embedding.shape)


if __name__ == "__main__":
    main(*sys.argv[1:])
