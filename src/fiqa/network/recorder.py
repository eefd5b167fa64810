"""From a walk to evidence: the torch half of the seam. The same code runs eagerly and is exported to ONNX."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from .. import evidence as names
from .vit import BlockState, ViT

Found = dict[str, Tensor]


def record(
    vit: ViT, crops: Tensor, wanted: Sequence[str], keep: Callable[[Found], Found] = lambda found: found
) -> Found:
    """Walk ``vit`` over crops uint8 RGB (B, H, W, 3) and return the ``wanted`` evidence, in that order.

    The walk stops at the deepest block that a wanted name reads. Distances, means and scores are taken in
    float32 even when the network runs in bfloat16 under autocast. Only states that a later step refers to are
    kept, so that memory does not grow with depth. ``keep`` may move what a block gave to another place.

    Raises:
        UsageError: a name that this network can't give.
    """
    wanted = names.check_names(wanted, vit.depth)
    plan = _plan(wanted, vit.depth, vit.config.quality_exits == "added")
    found: dict[str, Tensor] = {}
    kept: dict[tuple[int, str], Tensor] = {}
    for state in vit.walk(crops):
        wanted_here = plan[state.index]
        if any(name.startswith("received/") for name in wanted_here):
            _ = state.attention  # before the tokens, so that the block uses this very matrix
        if any(name.startswith("logits/") for name in wanted_here):
            _ = state.queries  # here, so that they do not depend on what else is asked for
        if any(not name.startswith(("logits/", "received/")) for name in wanted_here):
            _ = state.tokens
        with torch.autocast(crops.device.type, enabled=False):  # the block has run; the scores are float32
            found |= keep(_of_block(vit, state, wanted_here, kept))
        later = [name for block_names in plan[state.index + 1 :] for name in block_names]
        if not later:
            break
        for key in [key for key in kept if not any(_refers(name, key) for name in later)]:
            del kept[key]
    return {name: found[name] for name in wanted}


def _plan(wanted: Sequence[str], depth: int, exits_add_up: bool) -> list[list[str]]:
    """Per block, the names that are complete once it has run, and what it must keep for later blocks."""
    plan: list[list[str]] = [[] for _ in range(depth)]
    for name in wanted:
        plan[names.last_block(name, depth)].append(name)
        if name.startswith("step/"):  # the step's first block must record its state
            before, _, norm = _step(name)
            plan[before].append(names.state(before, norm) + "/kept")
    exits = [names.last_block(name, depth) for name in wanted if name.startswith("exit/")]
    for block in range(max(exits, default=0) if exits_add_up else 0):
        plan[block].append(names.exit_(block + 1) + "/kept")
    return plan


def _step(name: str) -> tuple[int, int, str]:
    _, blocks, norm = name.split("/")
    before, after = blocks.split("-")
    return int(before), int(after), norm


def _refers(name: str, key: tuple[int, str]) -> bool:
    if key[1] == "exit":
        return name.removesuffix("/kept") == names.exit_(key[0] + 2)
    return name.startswith("step/") and _step(name)[0] == key[0] and _step(name)[2] == key[1]


def _of_block(
    vit: ViT, state: BlockState, wanted: Sequence[str], kept: dict[tuple[int, str], Tensor]
) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    normed: Tensor | None = None
    kinds = {name: name.split("/")[0] for name in wanted}
    if set(kinds.values()) - {"logits", "received"}:
        normed = vit.norm(state.tokens.float())
    for name, kind in kinds.items():
        if name.endswith("/kept") and kind == "exit":
            _exit(vit, state, normed, kept)
            continue
        if name.endswith("/kept"):
            _unit(state, normed, name.split("/")[2], kept)
            continue
        match kind:
            case "received":
                found[name] = attention_received(state)
            case "logits":
                found[name] = reduced_logits(state, name.split("/")[2])
            case "exit":
                found[name] = _exit(vit, state, normed, kept)
            case "embedding":
                assert normed is not None
                found[name] = vit.embedding(normed)
            case "state":
                found[name] = _unit(state, normed, name.split("/")[2], kept)
            case "step":
                before, _, norm = _step(name)
                found[name] = torch.linalg.vector_norm(
                    _unit(state, normed, norm, kept) - kept[before, norm], dim=-1
                )
    return found


def _exit(vit: ViT, state: BlockState, normed: Tensor | None, kept: dict[tuple[int, str], Tensor]) -> Tensor:
    """Quality (B,) at this block, computed once and remembered in ``kept`` for the exit after it."""
    key = (state.index, "exit")
    if key not in kept:
        assert normed is not None
        kept[key] = vit.exit_score(normed, state.index + 1, kept.get((state.index - 1, "exit")))
    return kept[key]


def _unit(state: BlockState, normed: Tensor | None, norm: str, kept: dict[tuple[int, str], Tensor]) -> Tensor:
    """Unit patch embeddings (B, N, D) of this block, computed once and remembered in ``kept``."""
    key = (state.index, norm)
    if key not in kept:
        assert normed is not None
        patches = normed[:, state.n_prefix :] if norm == "final" else state.patches.float()
        # divided as it stands: F.normalize expands the norm first, and run times then take the shape for that
        # from the last block, so that they keep the states of all blocks until the end
        kept[key] = patches / torch.linalg.vector_norm(patches, dim=-1, keepdim=True).clamp_min(1e-12)
    return kept[key]


def attention_received(state: BlockState) -> Tensor:
    """(B, N): post-softmax attention each patch receives, mean over heads, summed over patches, total 1."""
    p = state.n_prefix
    received = state.attention[:, :, p:, p:].float().sum(dim=2).mean(dim=1)
    return received / received.sum(dim=1, keepdim=True)


def reduced_logits(state: BlockState, reduce: str) -> Tensor:
    """Pre-softmax attention among the patches, reduced; see the table of :mod:`fiqa.evidence`.

    The mean needs no N × N matrix: mean_i ⟨q_i, k_j⟩ = ⟨mean_i q_i, k_j⟩, exactly.
    """
    q = state.queries[:, :, state.n_prefix :].float()
    k = state.keys[:, :, state.n_prefix :].float()
    q = q * q.shape[-1] ** -0.5
    if reduce == "mean":
        return (k * q.mean(dim=2, keepdim=True)).sum(dim=-1).mean(dim=1)  # (B, N)
    scores = q @ k.transpose(-2, -1)  # (B, H, N, N)
    if reduce == "max":
        return scores.amax(dim=(1, 2))  # (B, N)
    flat = scores.flatten(1)
    if reduce == "inverse-std":
        return 1 / flat.std(dim=1, correction=0)
    # The median of an even number of values is the mean of the two in the middle; topk is exportable.
    middle = flat.topk(flat.shape[1] // 2 + 1, dim=1).values[:, -2:]
    return middle.mean(dim=1) if flat.shape[1] % 2 == 0 else middle[:, -1]
