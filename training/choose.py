"""The settings of each method for a network, chosen on training faces.

    python training/choose.py runs/default/model.safetensors --faces runs/faces

Two views, neither of them a benchmark: the EDC on labelled training faces, judged by the teacher (normalised
pAUC to 30 % discard at FMR 1e-3, 1.0 = random, lower is better), and the ladder of degradations (mean
Spearman with severity, lower is better). A method's settings are ranked by pAUC + Spearman / 4.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from data import load
from fiqa import Scorer
from fiqa.evaluation import cosine_similarity, edc, pair_quality, validate
from fiqa.evaluation.metrics.verification import mated_pairs, non_mated_pairs


def specs(depth: int) -> list[str]:
    """The settings that are compared."""
    blocks = [f"0-{depth - 1}", f"0-{depth // 2 - 1}", f"1-{depth - 1}", f"{depth // 2}-{depth - 1}"]
    blocks.append(f"2-{depth - 1}")
    found = [
        f"vitnt:blocks={b},alpha={alpha},weighting={weighting}"
        for b in blocks
        for alpha in (2, 8)
        for weighting in ("uniform", "last")
    ]
    found += [f"attn:reduce={how}" for how in ("mean", "max")]
    return [*found, "exit-mean", "exit-depth", *(f"exit:{k + 1}" for k in range(depth))]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("--faces", type=Path, required=True, help="folder that data.py wrote")
    parser.add_argument("--crops", type=int, default=3000, help="labelled crops for the EDC")
    parser.add_argument("--ladder", type=int, default=60, help="crops for the ladder")
    parser.add_argument("--threads", type=int)
    args = parser.parse_args()

    faces = load(args.faces)
    identity = np.load(args.faces / "identity.npy")
    plain = np.load(args.faces / "teacher.npy")[0]
    rng = np.random.default_rng(0)
    depth = Scorer(args.model, ("attn",)).card.depth
    scorer = Scorer(args.model, specs(depth), engine="onnxruntime", align="none", threads=args.threads)
    labelled = np.flatnonzero(identity >= 0)
    chosen = np.sort(rng.permutation(labelled)[: args.crops])
    parts = [scorer.score_crops(faces.crops[part]) for part in np.array_split(chosen, -(-len(chosen) // 64))]
    scores = {spec: np.concatenate([part[spec] for part in parts]) for spec in parts[0]}
    people, x = identity[chosen], plain[chosen]
    mated, others = mated_pairs(people, 300), non_mated_pairs(people, 100 * len(chosen))
    pairs = np.concatenate([mated, others])
    genuine = np.arange(len(pairs)) < len(mated)
    similarity = cosine_similarity(x, pairs)
    pauc = {
        spec: edc(pair_quality(values, pairs), similarity, genuine, 1e-3).pauc(0.3, normalised=True)
        for spec, values in scores.items()
    }
    spearman = dict.fromkeys(scores, 0.0)
    if args.ladder:
        clean = np.sort(rng.choice(len(faces), args.ladder, replace=False))
        ladders = validate(scorer, np.asarray(faces.crops[clean]))
        spearman = {spec: found.spearman.estimate for spec, found in ladders.items()}
    for method in dict.fromkeys(spec.partition(":")[0] for spec in scores):
        own = [spec for spec in scores if spec.partition(":")[0] == method]
        for spec in sorted(own, key=lambda s: pauc[s] + spearman[s] / 4):
            print(f"{spec:45s} pAUC {pauc[spec]:.3f}  Spearman {spearman[spec]:+.3f}", flush=True)


if __name__ == "__main__":
    main()
