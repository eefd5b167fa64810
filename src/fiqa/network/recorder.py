"""From a walk to evidence: the torch half of the seam. The same code runs eagerly and is exported to ONNX."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from .. import evidence as names
from ..evidence import Name
from .vit import BlockState, ViT

Found = dict[Name, Tensor]


def record(
    vit: ViT, crops: Tensor, wanted: Sequence[str], keep: Callable[[Found], Found] = lambda found: found
) -> Found:
    """Walk a network over crops and return the wanted evidence, in that order.

    The walk stops at the deepest block that a wanted name reads. Distances, means and scores are taken in
    float32 even when the network runs in bfloat16 under autocast. Only what a later block refers to is
    kept, so that memory does not grow with depth.

    Args:
        vit: the network.
        crops: uint8 RGB (B, H, W, 3).
        wanted: names as in :mod:`fiqa.evidence`.
        keep: may move what a block gave to another place.

    Raises:
        UsageError: a name that this network can't give.
    """
    asked = names.read_names(wanted, vit.depth)
    plan = _plan(vit, asked)
    last_read = {source: i for i, here in enumerate(plan) for name in here for source in _sources(vit, name)}
    attention = {block for block, here in enumerate(plan) if any(name.kind == "received" for name in here)}
    found: Found = {}
    kept: Found = {}
    # the plan comes first: once it ends, the walk is not asked for another block
    for here, state in zip(plan, vit.walk(crops, attention), strict=False):
        given = _of_block(vit, state, here, kept)
        found |= keep({name: given[name] for name in here if name in asked})
        kept = {name: value for name, value in (kept | given).items() if last_read.get(name, 0) > state.index}
    return {name: found[name] for name in asked}


def _plan(vit: ViT, asked: Sequence[Name]) -> list[list[Name]]:
    """Per block, as deep as the walk must go, what to take from it: what is asked for and what that needs."""
    plan: list[dict[Name, None]] = [{} for _ in range(vit.depth)]
    waiting = list(asked)
    for name in waiting:  # which grows by what they are made of
        here = plan[name.last_block(vit.depth)]
        if name not in here:
            here[name] = None
            waiting += _sources(vit, name)
    depth = max((block + 1 for block, here in enumerate(plan) if here), default=0)
    return [list(here) for here in plan[:depth]]


def _sources(vit: ViT, name: Name) -> tuple[Name, ...]:
    """What ``name`` is made of: a step's two states, the exit before."""
    if name.kind == "exit" and name.block and vit.config.quality_exits == "added":
        return (names.exit_(name.block),)
    return name.ends


def _of_block(vit: ViT, state: BlockState, here: Sequence[Name], before: Found) -> Found:
    """The evidence ``here`` of one block; ``before`` holds what earlier blocks gave for it."""
    kinds = {name.kind for name in here}
    # read as the network runs, which may be in bfloat16; what is made of them is float32
    attention = state.attention if "received" in kinds else None
    heads = (state.queries, state.keys) if "logits" in kinds else None
    tokens = state.tokens if kinds - {"received", "logits"} else None
    found: Found = {}
    with torch.autocast(state.device, enabled=False):
        normed = None if tokens is None else vit.norm(tokens.float())
        for name in sorted(here, key=lambda name: name.kind == "step"):  # a step is from state to state
            match name.kind:
                case "received" if attention is not None:
                    found[name] = attention_received(attention, state.n_prefix)
                case "logits" if heads is not None and name.how is not None:
                    found[name] = reduced_logits(*heads, state.n_prefix, name.how)
                case "exit" if normed is not None:
                    scores = [before[source] for source in _sources(vit, name)]
                    found[name] = vit.exit_score(normed, state.index + 1, *scores)
                case "embedding" if normed is not None:
                    found[name] = vit.embedding(normed)
                case "state" if tokens is not None and normed is not None:
                    found[name] = _unit(
                        (normed if name.how == "final" else tokens.float())[:, state.n_prefix :]
                    )
                case "step":
                    start, end = name.ends
                    found[name] = torch.linalg.vector_norm(found[end] - before[start], dim=-1)
    return found


def _unit(patches: Tensor) -> Tensor:
    """(B, N, D) of length 1."""
    # divided as it stands: F.normalize expands the norm first, and run times then take the shape for that
    # from the last block, so that they keep the states of all blocks until the end
    return patches / torch.linalg.vector_norm(patches, dim=-1, keepdim=True).clamp_min(1e-12)


def attention_received(attention: Tensor, n_prefix: int) -> Tensor:
    """(B, N): attention (B, H, T, T) each patch receives, mean over heads, summed over patches, total 1."""
    received = attention[:, :, n_prefix:, n_prefix:].float().sum(dim=2).mean(dim=1)
    return received / received.sum(dim=1, keepdim=True)


def reduced_logits(queries: Tensor, keys: Tensor, n_prefix: int, reduce: str) -> Tensor:
    """Pre-softmax attention among the patches, reduced; see the table of :mod:`fiqa.evidence`.

    The mean needs no N × N matrix: mean_i ⟨q_i, k_j⟩ = ⟨mean_i q_i, k_j⟩, exactly.

    Args:
        queries, keys: (B, H, T, d), prefix first.
    """
    q, k = queries[:, :, n_prefix:].float(), keys[:, :, n_prefix:].float()
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
