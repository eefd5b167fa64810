"""A quality teacher: how well a face will be recognised, from what recognisers see of it; for every view.

    python training/quality_teacher.py runs/faces --frozen runs/frozen \\
        --teachers edgeface_xs edgeface_xxs --out runs/quality

The label of a view of a face of a known person: the cosine of its embedding to the centre of the person's
*other* images (leave one out), people of at least ``--images``, standardised for each recogniser and averaged
over them, so that one network's taste does not count. A head on each recogniser's features (`frozen.py`)
learns that label, and then gives a denoised one to every view, with or without identity. No head ever labels
a person that it learned from: people are split into folds, and a fold is labelled by the heads that did not
see it. The people of fold 0 are held out from everything that follows.

Writes ``labels.npz``: ``label`` (2, n), NaN where unknown; ``taught`` (2, n), what the heads say, NaN where
the features of a view are not there yet; ``fold`` (n,), −1 without identity. Figures on the held-out people
go to ``figures.json``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr

from data import normalised
from fiqa.evaluation.metrics.protocols import edc, pair_quality
from fiqa.evaluation.metrics.verification import cosine_similarity, mated_pairs, non_mated_pairs
from frozen import load_done
from heads import FitConfig, fit, predict, two_views

Array = NDArray[np.float32]
LENGTH = 512  # of the embedding, with which a teacher's features begin
N_IMPOSTORS = 300_000


def leave_one_out(views: Array, clean: Array, identity: NDArray[np.int64], images: int) -> Array:
    """Cosine of each view (n, E) to the centre of the person's other clean images (n, E) → (n,).

    NaN without identity, for people of fewer than ``images`` images, and where a view is not there yet.
    """
    n = len(identity)
    missing = np.full((n - min(len(views), n), views.shape[1]), np.nan, np.float32)
    unit, views = normalised(clean), np.concatenate([normalised(views), missing])
    found = np.full(n, np.nan, np.float32)
    for person in range(identity.max() + 1):
        mine = np.flatnonzero(identity == person)
        if len(mine) >= images:
            others = normalised(unit[mine].sum(0) - unit[mine])
            found[mine] = (views[mine] * others).sum(1)
    return found


def folds(identity: NDArray[np.int64], n_folds: int, held_out: float, seed: int) -> NDArray[np.int64]:
    """Fold of each row by its person: 0 for the held-out share, 1 to ``n_folds`` for the rest, −1 unknown."""
    people = identity.max() + 1
    order = np.random.default_rng(seed).permutation(people)
    fold = np.empty(people + 1, np.int64)
    fold[order] = 1 + np.arange(people) % n_folds
    fold[order[: round(held_out * people)]] = 0
    fold[-1] = -1  # where identity is −1
    return fold[identity]


def figures(score: Array, label: Array, embeddings: dict[str, Array], people: NDArray[np.int64]) -> Any:
    """Of clean faces: Spearman with the label, and normalised pAUC to 30 % discard by each teacher.

    Held-out people only; the teachers judge, as the judges of the benchmark take no part in choosing.
    """
    known = np.isfinite(label)
    mated = mated_pairs(people, 300)
    sizes = np.unique(people, return_counts=True)[1]
    possible = (len(people) ** 2 - int((sizes**2).sum())) // 2
    pairs = np.concatenate([mated, non_mated_pairs(people, min(N_IMPOSTORS, possible))])
    genuine = np.arange(len(pairs)) < len(mated)
    quality = pair_quality(score, pairs)
    out = {"spearman": float(spearmanr(score[known], label[known]).statistic)}
    for name, x in embeddings.items():
        similarity = cosine_similarity(normalised(x), pairs)
        for fmr in (1e-3, 1e-4):
            out[f"{name} {fmr:g}"] = edc(quality, similarity, genuine, fmr).pauc(0.3, normalised=True)
    return out


def teach(
    seen: Sequence[NDArray[np.generic]],
    label: Array,
    fold: NDArray[np.int64],
    config: FitConfig,
    checkpoint: Path,
) -> Array:
    """Heads on one recogniser's features: what they say of each view (2, n), fair to every fold.

    ``seen`` are the features of the views, (rows done, F) each. There is a head for each fold but the
    held-out one, which learns from all the others.
    """
    n = label.shape[1]
    batch = two_views(seen, n)
    done = np.concatenate([np.arange(n) < len(x) for x in seen])
    flat_label, flat_fold = label.reshape(-1), np.tile(fold, 2)  # view 0 of all rows, then view 1
    known = np.isfinite(flat_label) & (flat_fold > 0) & done
    learn = np.stack([known & (flat_fold != k) for k in range(1, fold.max() + 1)])
    target = torch.from_numpy(np.nan_to_num(flat_label)).expand(len(learn), -1)
    heads = fit(batch, target, torch.from_numpy(learn).float(), config, checkpoint)
    scores = np.full(learn.shape, np.nan, np.float32)
    rows = torch.from_numpy(np.flatnonzero(done))
    scores[:, done] = predict(heads, batch, rows).numpy()
    own = np.clip(flat_fold - 1, 0, None)[None]  # a fold is labelled by the head that did not see it
    fair = np.where(flat_fold > 0, np.take_along_axis(scores, own, 0)[0], scores.mean(0))
    return fair.reshape(2, n)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("faces", type=Path, help="folder that data.py wrote")
    parser.add_argument("--frozen", type=Path, required=True, help="folder that frozen.py wrote")
    parser.add_argument("--teachers", nargs="+", required=True, help="names of teachers in that folder")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--images", type=int, default=4, help="least number of images of a labelled person")
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--held-out", type=float, default=0.12, help="share of the people that is held out")
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    identity = np.load(args.faces / "identity.npy")
    n = len(identity)
    seen = {t: [load_done(args.frozen / f"{view}-{t}.npy") for view in (0, 1)] for t in args.teachers}
    embeddings = {t: [x[:, :LENGTH].astype(np.float32) for x in both] for t, both in seen.items()}
    cosines = [
        np.stack([leave_one_out(x, both[0], identity, args.images) for x in both])
        for both in embeddings.values()
    ]
    standard = [(c - np.nanmean(c[0])) / np.nanstd(c[0]) for c in cosines]
    label = np.mean(standard, axis=0).astype(np.float32)  # (2, n)
    fold = folds(identity, args.folds, args.held_out, args.seed)
    config = FitConfig(hidden=args.hidden, epochs=args.epochs, seed=args.seed)
    taught = {t: teach(x, label, fold, config, args.out / f"{t}.pt") for t, x in seen.items()}
    mean = np.mean(list(taught.values()), axis=0).astype(np.float32)
    np.savez(args.out / "labels.npz", label=label, taught=mean, fold=fold)

    held = np.flatnonzero(fold == 0)
    clean_of = {t: both[0][held] for t, both in embeddings.items()}
    result: dict[str, Any] = {
        "faces": n,
        "labelled": int(np.isfinite(label[0]).sum()),
        "held out": {"people": len(set(identity[held])), "faces": len(held)},
        "second view, spearman": float(spearmanr(mean[1, held], label[1, held], nan_policy="omit").statistic),
    }
    for name, values in {"taught": mean, "label": np.nan_to_num(label), **taught}.items():
        result[name] = figures(values[0, held], label[0, held], clean_of, identity[held])
        print(name, json.dumps(result[name]), flush=True)
    (args.out / "figures.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
