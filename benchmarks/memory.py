"""Peak memory of a pass by depth, and of a stream by number of images. Each figure is a fresh process.

python benchmarks/memory.py

Linux only: it reads and resets the kernel's own count of the peak.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def memory(field: str) -> float:
    """``VmRSS`` (now) or ``VmHWM`` (peak) of this process, in MB."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition(f"{field}:")[2].split()[0]) / 1024


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def depth(blocks: int, engine: str) -> None:
    """Peak memory, in MB, of a pass with all methods over all blocks, beyond what is taken before it."""
    import numpy as np
    import torch

    from fiqa import Scorer
    from fiqa.network import ViT, ViTConfig

    torch.set_num_threads(1)
    block = {"width": 64, "heads": 4, "mlp_width": 64}  # light weights: what grows is the states
    vit = ViT(ViTConfig(depth=blocks, quality="token", quality_token=True, **block)).eval()
    specs = ["vitnt", "vitnt:weighting=mean,norm=none", "attn", "exit-depth"]
    scorer = Scorer(model=vit, methods=specs, engine=engine, threads=1)
    crops = np.zeros((64, 112, 112, 3), dtype=np.uint8)
    scorer.score_crops(crops[:1])  # compiles the graph, whose size does depend on depth
    forget_peak()  # what compiling took for a while
    before = memory("VmRSS")
    scorer.score_crops(crops)
    print(f"{engine:12} {blocks:3} blocks: {memory('VmHWM') - before:6.1f} MB for a batch of 64")


def images(count: int) -> None:
    """Peak memory, in MB, of a stream of ``count`` images."""
    from fiqa import Scorer
    from fiqa.examples import example_paths

    scorer = Scorer(engine="onnxruntime", align="none")
    n = sum(1 for _ in scorer.stream(example_paths()[i % 2] for i in range(count)))
    print(f"{n:6} images: peak {memory('VmHWM'):6.1f} MB")


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
