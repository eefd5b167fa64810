"""Peak memory of a pass by depth, and of a stream by number of images. Each figure is a fresh process.

python benchmarks/memory.py
"""

from __future__ import annotations

import resource
import subprocess
import sys


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def depth(blocks: int, engine: str) -> None:
    """Growth of peak memory, in MB, by a ViTNT pass over all blocks, beyond what loading took."""
    import numpy as np
    import torch

    from fiqa import Scorer
    from fiqa.vit import ViT, ViTConfig

    torch.set_num_threads(1)
    block = {"width": 64, "heads": 4, "mlp_width": 64}  # light weights: what grows is the states
    vit = ViT(ViTConfig(depth=blocks, **block)).eval()
    scorer = Scorer(model=vit, methods=["vitnt"], engine=engine, threads=1)
    crops = np.zeros((64, 112, 112, 3), dtype=np.uint8)
    scorer.score_crops(crops[:1])  # compiles the graph, whose size does depend on depth
    before = peak()
    scorer.score_crops(crops)
    print(f"{engine:12} {blocks:3} blocks: {peak() - before:6.1f} MB for a batch of 64")


def images(count: int) -> None:
    """Peak memory, in MB, of a stream of ``count`` images."""
    from fiqa import Scorer
    from fiqa.examples import example_paths

    scorer = Scorer(engine="onnxruntime", align="none")
    n = sum(1 for _ in scorer.stream(example_paths()[i % 2] for i in range(count)))
    print(f"{n:6} images: peak {peak():6.1f} MB")


def main() -> None:
    if len(sys.argv) > 1:
        globals()[sys.argv[1]](*(int(a) if a.isdigit() else a for a in sys.argv[2:]))
        return
    for engine in ("torch", "onnxruntime", "openvino"):
        for blocks in (6, 12, 24, 48):
            subprocess.run([sys.executable, __file__, "depth", str(blocks), engine], check=True)
    for count in (100, 400, 1600):
        subprocess.run([sys.executable, __file__, "images", str(count)], check=True)


if __name__ == "__main__":
    main()
