"""Faces per second of the embedded model on every installed engine and precision, in turn, in one run.

python benchmarks/engines.py [--threads N] [--batch-size N] [--crops DIR]

With a folder of aligned crops it also says how well a precision keeps their order: Spearman's correlation of
each method's scores with those of float32 on torch or, without it, the first engine.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from fiqa import methods
from fiqa.bench import gemm_rate
from fiqa.budget import milliseconds
from fiqa.engines import ENGINES, available_threads
from fiqa.errors import MissingExtra
from fiqa.evaluation.metrics.statistics import spearman
from fiqa.images import load
from fiqa.models import find
from fiqa.pipeline import sources

SPECS = ("vitnt", "attn", "exit-depth")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--crops", type=Path)
    arguments = parser.parse_args()

    model = find("default")
    threads = available_threads(arguments.threads)
    resolved = [methods.parse(spec, model.card) for spec in SPECS]
    wanted = (*methods.needs(resolved), "embedding")
    opened = {}
    for engine, kind in ENGINES.items():
        for precision in kind.precisions:
            try:
                one = model.open(engine, wanted, threads=threads, precision=precision, device="cpu")
                milliseconds(one, wanted, repeats=1)
                opened[f"{engine} {precision}"] = one
            except MissingExtra as error:
                print(f"{engine} {precision}: left out, {error}")
    times: dict[str, list[float]] = {name: [] for name in opened}
    for _ in range(arguments.rounds):
        for name, one in opened.items():
            times[name].append(milliseconds(one, wanted, batch_size=arguments.batch_size))
    rate, cost = gemm_rate(threads), model.card.gflops[-1]
    print(f"{model.card.name}, all methods and embedding, batch {arguments.batch_size}, {threads} threads")
    print(f"{cost:.2f} GFLOPs a face; this machine's float32 GEMM rate is {rate:.0f} GFLOP/s")
    for name, values in sorted(times.items(), key=lambda item: np.median(item[1])):
        ms = float(np.median(values))
        print(
            f"{name:18} {ms:7.2f} ms a face {1e3 / ms:7.0f} faces/s {cost / ms * 1e3 / rate:5.0%} of the rate"
        )
    if arguments.crops:
        files = sources.expand([arguments.crops])
        crops = np.stack([load(file) for file in files[:: -(-len(files) // 400)]])
        scores = {}
        for name, one in opened.items():
            evidence = one.run(crops, wanted)
            scores[name] = [method.score(evidence) for method in resolved]
        exact = scores.get("torch fp32") or next(iter(scores.values()))
        print(f"rank correlation with float32 on {len(crops)} crops: {', '.join(SPECS)}")
        for name, values in scores.items():
            print(f"{name:18}", *(f"{spearman(a, b):.4f}" for a, b in zip(values, exact, strict=True)))


if __name__ == "__main__":
    main()
