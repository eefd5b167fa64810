"""Every figure of the model card by one command.

    python training/measure.py MODEL --lfw lfw112 --judge mobilefacenet_ms1m.onnx:preprocess=imagenet

MODEL is what `fiqa.Scorer` takes: ``default``, a .safetensors, an .onnx. LFW is measured, never trained or
tuned on:

* LFW 10-fold accuracy of the embedding (6,000 pairs of pairs.txt),
* normalised pAUC to 30 % discard of each method on all mated LFW pairs (at most 300 a person), threshold at
  FMR 1e-4 on 3 million impostor pairs of the judge, ``fixed`` EDC: 1.0 = random, lower is better,
* the ladder: mean Spearman of score and severity over the degradations,
* maps: the AUROC with which a patch map tells a degraded rectangle from the rest, with its control,
* the time of one face on one core, all methods and the embedding.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fiqa import Scorer
from fiqa.evaluation import (
    Comparisons,
    Draws,
    bootstrap_pauc,
    edc,
    localise,
    open_recognizer,
    pair_quality,
    validate,
)
from fiqa.evaluation.metrics.verification import (
    cosine_similarity,
    l2_normalise,
    lfw_accuracy,
    mated_pairs,
    non_mated_pairs,
)
from fiqa.measures import sharpness

FMR, LIMIT, PER_PERSON, N_IMPOSTORS, N_LADDER = 1e-4, 0.3, 300, 3_000_000, 500
PARTS = ("edc", "ladder", "maps", "latency")


def read_lfw(
    root: Path,
) -> tuple[list[str], NDArray[np.uint8], NDArray[Any], NDArray[np.int64], NDArray[np.bool_]]:
    """names, crops (n, 112, 112, 3), person of each, pairs (6000, 2) as rows, is_genuine (6000,)."""
    paths = sorted(root.rglob("*.jpg"))
    crops = np.stack([np.asarray(Image.open(p).convert("RGB")) for p in paths])
    names = [p.stem for p in paths]
    row = {name: i for i, name in enumerate(names)}
    pairs, genuine = [], []
    for line in next(root.rglob("pairs.txt")).read_text().splitlines()[1:]:
        part = line.split()
        other = part[0] if len(part) == 3 else part[2]
        pairs.append((row[f"{part[0]}_{int(part[1]):04d}"], row[f"{other}_{int(part[-1]):04d}"]))
        genuine.append(len(part) == 3)
    people = np.array([p.parent.name for p in paths])
    return names, crops, people, np.array(pairs), np.array(genuine)


def judged(judge: str, crops: NDArray[np.uint8], cache: Path | None) -> NDArray[np.float32]:
    """The judge's embeddings of all crops; kept in ``cache`` (.npy), as they do not depend on the model."""
    if cache is not None and cache.exists():
        return np.load(cache)
    recognizer: Any = open_recognizer(judge)
    out = np.concatenate([recognizer.embed(crops[i : i + 64]) for i in range(0, len(crops), 64)])
    if cache is not None:
        np.save(cache, out)
    return out


def score_all(
    scorer: Scorer, crops: NDArray[np.uint8]
) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.float32]]:
    """Raw scores by method spec, and embeddings, from one pass."""
    scores: dict[str, list[float]] = {spec: [] for spec in scorer.specs}
    embeddings = []
    for start in range(0, len(crops), 32):
        for quality in scorer.qualities(crops[start : start + 32]):
            for spec, value in quality.raw.items():
                scores[spec].append(value)
            embeddings.append(quality.embedding)
    return {k: np.array(v, np.float32) for k, v in scores.items()}, np.stack(embeddings)


def paucs(
    scores: dict[str, NDArray[np.floating]],
    embeddings: NDArray[np.floating],
    people: NDArray[Any],
    n_bootstrap: int,
) -> dict[str, dict[str, Any]]:
    """Normalised pAUC of each quality with its interval over subjects, and the oracle's."""
    mated = mated_pairs(people, PER_PERSON)
    others = non_mated_pairs(people, N_IMPOSTORS)
    x = l2_normalise(embeddings)
    similarity = np.concatenate([cosine_similarity(x, mated), cosine_similarity(x, others)])
    genuine = np.r_[np.ones(len(mated), bool), np.zeros(len(others), bool)]
    pairs = np.concatenate([mated, others])
    out: dict[str, dict[str, Any]] = {}
    # The oracle knows of each image how well the judge compares it with the others of its person.
    images, own = mated.ravel(), np.repeat(similarity[: len(mated)], 2)
    total, count = (np.bincount(images, weights=w, minlength=len(people)) for w in (own, np.ones_like(own)))
    oracle = np.divide(total, count, out=np.ones(len(people)), where=count > 0)
    for name, values in {"oracle": oracle, **scores}.items():
        quality = pair_quality(values, pairs)
        out[name] = {"pauc": edc(quality, similarity, genuine, FMR).pauc(LIMIT, normalised=True)}
        if n_bootstrap:
            compared = Comparisons(similarity=similarity, is_genuine=genuine, subjects=people[pairs[:, 0]])
            sampled = bootstrap_pauc(
                {name: quality}, compared, fmr=FMR, limit=LIMIT, normalised=True, draws=Draws(n_bootstrap)
            )
            out[name]["interval"] = [float(v) for v in sampled[name].interval()]
    return out


def latency(model: str, methods: Sequence[str], repeats: int = 60) -> float:
    """Median processor milliseconds of one face on one thread, onnxruntime fp32, methods and embedding.

    Processor time, so that what else the machine does is not counted.
    """
    scorer = Scorer(model, methods, engine="onnxruntime", threads=1, embedding=True, align="none")
    crop = np.random.default_rng(0).integers(0, 256, (1, 112, 112, 3), dtype=np.uint8)
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        scorer.qualities(crop)
        taken.append(time.process_time() - start)
    return float(np.median(taken[10:]) * 1e3)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument(
        "--lfw", type=Path, required=True, help="folder of aligned 112×112 LFW with its pairs.txt"
    )
    parser.add_argument(
        "--judge", required=True, help="ONNX recogniser that did not teach, as FILE:preprocess=imagenet"
    )
    parser.add_argument("--judge-cache", type=Path, help=".npy to keep the judge's embeddings in")
    parser.add_argument("--methods", nargs="+", help="method specs; default: the usual ones and every exit")
    parser.add_argument("--ladder", type=int, default=N_LADDER, help="faces of the ladder")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="only some of the figures")
    parser.add_argument("--bootstrap", type=int, default=0, help="resamples for the intervals")
    parser.add_argument("--heads", type=int)
    parser.add_argument("--references", action="store_true", help="also sharpness and the judge's own norm")
    parser.add_argument("-o", "--output", type=Path, help="JSON file")
    args = parser.parse_args()

    card = Scorer(args.model, ("attn",), heads=args.heads).card
    methods = args.methods
    if not methods:
        methods = ["vitnt", "vitnt:weighting=uniform", "attn"]
        methods += (
            ["exit-mean", "exit-depth"] + [f"exit:{i + 1}" for i in range(card.depth)] if card.exits else []
        )
    few = [m for m in methods if not m.startswith("exit:")]
    _, crops, people, pairs, genuine = read_lfw(args.lfw)
    result: dict[str, Any] = {"model": args.model}
    if "edc" in args.parts:
        scorer = Scorer(
            args.model, methods, engine="onnxruntime", embedding=True, align="none", heads=args.heads
        )
        scores, embeddings = score_all(scorer, crops)
        plain = lfw_accuracy(cosine_similarity(embeddings, pairs), genuine)
        result["lfw_accuracy"], result["lfw_std"] = plain.mean, plain.std
        print(json.dumps({k: result[k] for k in ("lfw_accuracy", "lfw_std")}), flush=True)
        judge = judged(args.judge, crops, args.judge_cache)
        result["judge_accuracy"] = lfw_accuracy(cosine_similarity(judge, pairs), genuine).mean
        qualities: dict[str, NDArray[np.floating]] = dict(scores)
        if args.references:
            qualities["judge's norm"] = np.linalg.norm(judge, axis=1)
            qualities["sharpness"] = np.concatenate(
                [sharpness(part) for part in np.array_split(crops, -(-len(crops) // 256))]
            )
        result["pauc"] = paucs(qualities, judge, people, args.bootstrap)
        for name, entry in result["pauc"].items():
            print(f"{name:28s} {entry['pauc']:.3f} {entry.get('interval', '')}", flush=True)
    chosen = np.sort(np.random.default_rng(0).choice(len(crops), args.ladder, replace=False))
    if "maps" in args.parts:
        mapped = Scorer(args.model, ["vitnt", "attn"], engine="onnxruntime", align="none", heads=args.heads)
        found = localise(mapped.patch_maps, crops[chosen[: args.ladder // 2]])
        result["maps"] = {
            spec: {"mean": v.auroc, "control": v.control, **{k: float(x.mean()) for k, x in v.after.items()}}
            for spec, v in found.items()
        }
        print(json.dumps(result["maps"], indent=1), flush=True)
    if "ladder" in args.parts:
        small = Scorer(args.model, few, engine="onnxruntime", align="none", heads=args.heads)
        ladders = validate(small, crops[chosen])
        result["ladder"] = {
            spec: {
                "mean": float(v.spearman.estimate),
                **{one.kind: float(np.mean(one.spearman)) for one in v.ladders},
            }
            for spec, v in ladders.items()
        }
        print(json.dumps(result["ladder"], indent=1), flush=True)
    if "latency" in args.parts:
        result["latency_ms"] = latency(args.model, few)
        print(f"one face, one core, all methods and the embedding: {result['latency_ms']:.1f} ms")
    if args.output:
        args.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
