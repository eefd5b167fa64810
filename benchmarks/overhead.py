"""What quality costs beside recognition: ViTNT + ATTN + embedding in one pass, against the embedding alone.

    python benchmarks/overhead.py [--engine onnxruntime --engine openvino] [--threads N] [--rounds N]

The network is CVLface ViT-S (random weights; time does not depend on them). The two passes alternate, A B A
B, on one machine in one run; the figure is the median of the ratios pair by pair.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch

from fiqa import methods
from fiqa.engines import Engine, OnnxRuntimeEngine, OpenVINOEngine, available_threads
from fiqa.graph import export_graph
from fiqa.network import ViT, ViTConfig, describe

VIT_S = ViTConfig(width=512, depth=12, heads=8, mlp_width=2560, patch_size=8, head="flatten", embedding=512)
ENGINES = {"onnxruntime": OnnxRuntimeEngine, "openvino": OpenVINOEngine}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--engine", action="append", choices=list(ENGINES))
    parser.add_argument("--threads", type=int)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--batch-size", type=int, default=8)
    arguments = parser.parse_args()

    torch.manual_seed(0)
    vit = ViT(VIT_S).eval()
    card = describe(vit)
    quality = methods.needs([methods.parse(spec, card) for spec in ("vitnt", "attn")])
    requests = {"embedding": ("embedding",), "all": (*quality, "embedding")}
    graph = export_graph(vit, requests["all"])
    crops = np.random.default_rng(0).integers(0, 256, (arguments.batch_size, 112, 112, 3), dtype=np.uint8)
    print(f"CVLface ViT-S, batch {arguments.batch_size}, {available_threads(arguments.threads)} threads")
    for name in arguments.engine or ENGINES:
        engine: Engine = ENGINES[name](graph, threads=arguments.threads)
        times: dict[str, list[float]] = {key: [] for key in requests}
        for _ in range(arguments.rounds + 1):
            for key, wanted in requests.items():
                start = time.perf_counter()
                evidence = engine.run(crops, wanted)
                if key == "all":  # the arithmetic of the methods belongs to their cost
                    for spec in ("vitnt", "attn"):
                        methods.parse(spec, card).score(evidence)
                times[key].append((time.perf_counter() - start) * 1e3 / len(crops))
        alone, everything = (np.array(times[key][1:]) for key in ("embedding", "all"))
        ratio = np.median(everything / alone)
        print(
            f"{name:12} embedding {np.median(alone):6.2f} ms a face, with ViTNT and ATTN "
            f"{np.median(everything):6.2f} ms: ratio {ratio:.3f}"
        )


if __name__ == "__main__":
    main()
