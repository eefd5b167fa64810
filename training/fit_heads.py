"""New quality heads on a frozen network: each exit learns what the quality teacher says.

    python training/fit_heads.py default.safetensors --faces runs/faces --frozen runs/frozen \\
        --labels runs/quality/labels.npz --out runs/heads

Every exit gets a head on its own tokens, fitted to ``taught`` of `quality_teacher.py` for both views of every
face but those of held-out people. With ``--exits added`` an exit's score is what its head adds to the score
of the exit before, so that a deeper exit knows all that the shallower ones know. The heads of several seeds
become one: their hidden layers stand side by side, and their outputs are averaged. Attention, stability and
embedding stay what they were, as no other weight changes. Writes ``model.safetensors``, ready for `embed.py`,
and ``figures.json``: some exits and their means on clean faces of held-out people.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr
from torch import Tensor

from fiqa import load_checkpoint, save_checkpoint
from fiqa.network import ViT
from fiqa.network.quality import QualityHead, QualityHeads
from frozen import KINDS, load_done
from heads import Batch, FitConfig, Heads, fit, predict
from quality_teacher import LENGTH, figures


def exits_of(seen: list[NDArray[np.float16]], n: int, kinds: list[str]) -> Batch:
    """Rows of two views, as in `heads.two_views` → features of every exit (L, B, kinds · D)."""
    columns = [KINDS.index(kind) for kind in kinds]
    chosen = [x[:, :, columns].reshape(len(x), x.shape[1], -1) for x in seen]

    def batch(rows: Tensor) -> Tensor:
        index = rows.numpy()
        second = index >= n
        x = np.empty((len(index), *chosen[0].shape[1:]), np.float32)
        x[~second], x[second] = chosen[0][index[~second]], chosen[1][index[second] - n]
        return torch.from_numpy(x).transpose(0, 1)

    return batch


def merge(fitted: list[Heads], number: int) -> QualityHead:
    """The heads of several seeds for one exit (``number`` from 0) as one head, whose output is their mean."""
    hidden = fitted[0].config.hidden
    head = QualityHead(fitted[0].mean.shape[1], hidden * len(fitted))
    state = {
        "norm.weight": torch.ones_like(fitted[0].mean[number]),
        "norm.bias": torch.zeros_like(fitted[0].mean[number]),
        "norm.running_mean": fitted[0].mean[number],  # the same for all seeds
        "norm.running_var": fitted[0].variance[number],
        "norm.num_batches_tracked": torch.tensor(0),
        "hidden.weight": torch.cat([h.weight1[number] for h in fitted], 1).T,
        "hidden.bias": torch.cat([h.bias1[number] for h in fitted]),
        "project.weight": torch.cat([h.weight2[number] for h in fitted])[None] / len(fitted),
        "project.bias": torch.stack([h.bias2[number] for h in fitted]).mean(0, keepdim=True),
    }
    head.load_state_dict({key: value.detach() for key, value in state.items()})
    return head


def with_heads(vit: ViT, fitted: list[Heads], kinds: list[str]) -> ViT:
    """The network with new heads, one for each exit; all other weights are those it had."""
    config = replace(
        vit.config,
        quality_features=tuple(kinds),
        quality_hidden=fitted[0].config.hidden * len(fitted),
        quality_exits="added" if fitted[0].config.added else "own",
    )
    new = ViT(config)
    new.load_state_dict(
        {k: v for k, v in vit.state_dict().items() if not k.startswith("quality_head.")}, strict=False
    )
    new.quality_head = QualityHeads(merge(fitted, number) for number in range(vit.depth))
    return new.eval()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("network", type=Path, help="checkpoint of the network that frozen.py looked through")
    parser.add_argument("--faces", type=Path, required=True, help="folder that data.py wrote")
    parser.add_argument("--frozen", type=Path, required=True, help="folder that frozen.py wrote")
    parser.add_argument("--labels", type=Path, required=True, help="labels.npz of quality_teacher.py")
    parser.add_argument("--teachers", nargs="+", default=["edgeface_xs", "edgeface_xxs"], help="for figures")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--features", nargs="+", choices=KINDS, default=["token", "mean", "std"])
    parser.add_argument("--exits", choices=("own", "added"), default="added")
    parser.add_argument("--hidden", type=int, default=32, help="units of each seed's hidden layer")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--dropout", type=float, nargs=2, default=(0.1, 0.1), metavar=("IN", "HIDDEN"))
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument(
        "--second", type=float, default=2.0, help="weight of a second view; a first one's is 1"
    )
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    vit = load_checkpoint(args.network)
    identity = np.load(args.faces / "identity.npy")
    labels = np.load(args.labels)
    taught, label, fold = labels["taught"], labels["label"], labels["fold"]
    n = len(identity)
    seen = [load_done(args.frozen / f"{view}-vit.npy") for view in (0, 1)]
    batch = exits_of(seen, n, args.features)

    flat, flat_fold = taught.reshape(-1), np.tile(fold, 2)
    done = np.concatenate([np.arange(n) < len(x) for x in seen])
    learn = np.isfinite(flat) & done & (flat_fold != 0)
    target = torch.from_numpy(np.nan_to_num(flat)).expand(vit.depth, -1)
    share = np.repeat([1.0, args.second], n)
    weight = torch.from_numpy(learn * share).float().expand(vit.depth, -1)
    config = FitConfig(
        hidden=args.hidden, dropout=tuple(args.dropout), epochs=args.epochs, added=args.exits == "added"
    )
    configs = [replace(config, seed=seed) for seed in range(args.seeds)]
    fitted = [fit(batch, target, weight, c, args.out / f"seed{c.seed}.pt") for c in configs]
    save_checkpoint(with_heads(vit, fitted, args.features), args.out / "model.safetensors")

    held = np.flatnonzero(fold == 0)
    clean = torch.stack([predict(h, batch, torch.from_numpy(held)) for h in fitted]).mean(0).numpy()
    seen_twice = held[held < len(seen[1])]
    second = (
        torch.stack([predict(h, batch, torch.from_numpy(seen_twice + n)) for h in fitted]).mean(0).numpy()
    )
    embeddings = {
        t: load_done(args.frozen / f"0-{t}.npy")[held, :LENGTH].astype(np.float32) for t in args.teachers
    }
    depth_weighted = np.arange(1, vit.depth + 1)
    scores = {f"exit {number}": clean[number - 1] for number in sorted({1, vit.depth // 2, vit.depth})}
    scores |= {"exit-mean": clean.mean(0), "exit-depth": np.average(clean, 0, depth_weighted)}
    result: dict[str, Any] = {"rows": [int(part.sum()) for part in (learn[:n], learn[n:])]}
    result["settings"] = {k: str(v) for k, v in vars(args).items() if k not in ("faces", "frozen", "out")}
    for name, values in scores.items():
        result[name] = figures(values, label[0, held], embeddings, identity[held])
        print(name, json.dumps(result[name]), flush=True)
    result["second view, spearman"] = float(
        spearmanr(np.average(second, 0, depth_weighted), label[1, seen_twice], nan_policy="omit").statistic
    )
    (args.out / "figures.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
