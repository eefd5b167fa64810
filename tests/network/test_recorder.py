"""What a request costs: blocks that run, memory, and independence of results from batch and order."""

from __future__ import annotations

import weakref

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from fiqa.errors import UsageError
from fiqa.graph.exporter import full_request
from fiqa.methods import needs, parse
from fiqa.network import describe, record
from reference.literal import LiteralViT, attention_received

FULL = {
    "quality": "embedding",
    "quality_token": True,
    "head_sees_prefix": True,
    "head": "flatten",
    "embedding": 8,
}


def _count(vit):
    """Which blocks ran their projections, and which their MLP, from now on."""
    ran = {"qkv": [], "mlp": []}
    for i, block in enumerate(vit.blocks):
        block.attn.qkv.register_forward_hook(lambda *_, i=i: ran["qkv"].append(i))
        block.mlp.register_forward_hook(lambda *_, i=i: ran["mlp"].append(i))
    return ran


@pytest.mark.parametrize(
    ("specs", "n_qkv", "n_mlp"),
    [
        (["attn"], 6, 5),
        (["attn:block=2"], 3, 2),
        (["attn:block=0,reduce=median"], 1, 0),
        (["vitnt:blocks=0-2"], 3, 3),
        (["vitnt:blocks=0,3"], 4, 4),  # blocks between the recorded ones run too
        (["vitnt:blocks=1,3,4,weighting=mean"], 5, 5),
        (["exit:1"], 1, 1),
        (["exit:4"], 4, 4),
        (["exit:2", "attn:block=4"], 5, 4),
        (["exit-depth:exits=3", "vitnt:blocks=0-1,norm=none"], 3, 3),
        (["vitnt", "attn", "exit-depth", "exit-mean"], 6, 6),
    ],
    ids=str,
)
def test_the_pass_stops_at_the_deepest_block_that_is_needed(specs, n_qkv, n_mlp, make_vit, crops):
    vit = make_vit(0, depth=6, **FULL).fold()
    card = describe(vit)
    ran = _count(vit)
    record(vit, torch.from_numpy(crops), needs([parse(spec, card) for spec in specs]))
    assert ran == {"qkv": list(range(n_qkv)), "mlp": list(range(n_mlp))}


@pytest.mark.parametrize("norm", ["final", "none"])
def test_steps_between_any_two_blocks_are_the_literal_distances(norm, make_vit, crops):
    vit = make_vit(1, depth=5)
    literal = LiteralViT(vit)
    z = [s.tokens if norm == "none" else literal.final_norm(s.tokens) for s in literal.run(crops)]
    units = [x / np.linalg.norm(x, axis=-1, keepdims=True) for x in z]
    pairs = [(a, b) for b in range(5) for a in range(b)]
    wanted = [f"step/{a}-{b}/{norm}" for a, b in pairs] + [f"state/{b}/{norm}" for b in range(5)]
    found = record(vit, torch.from_numpy(crops), wanted)
    for a, b in pairs:
        want = np.linalg.norm(units[a] - units[b], axis=-1)
        np.testing.assert_allclose(found[f"step/{a}-{b}/{norm}"], want, rtol=1e-4, atol=1e-5)
    for b in range(5):
        np.testing.assert_allclose(found[f"state/{b}/{norm}"], units[b], rtol=1e-4, atol=1e-5)


def test_attention_received_leaves_out_the_prefix_and_sums_to_one(make_vit, crops):
    vit = make_vit(2, quality="token", quality_token=True)
    states = LiteralViT(vit).run(crops)
    found = record(vit, torch.from_numpy(crops), [f"received/{i}" for i in range(vit.depth)])
    for i, state in enumerate(states):
        got = found[f"received/{i}"].numpy()
        np.testing.assert_allclose(got, attention_received(state.attention[:, :, 1:, 1:]), rtol=1e-4)
        np.testing.assert_allclose(got.sum(axis=1), 1, rtol=1e-5)


def test_what_is_asked_for_comes_back_in_that_order_and_once(make_vit, crops):
    vit = make_vit(0)
    wanted = ["logits/2/mean", "step/0-1/final", "received/1", "step/0-1/final"]
    assert list(record(vit, torch.from_numpy(crops), wanted)) == wanted[:3]


def test_an_answer_does_not_depend_on_what_else_is_asked(make_vit, crops):
    vit = make_vit(0, **FULL).fold()
    wanted = full_request(vit)
    together = record(vit, torch.from_numpy(crops), wanted)
    for name in wanted:
        alone = record(vit, torch.from_numpy(crops), [name])[name]
        torch.testing.assert_close(alone, together[name], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["exit/1", "embedding", "received/3", "exit/0", "logits/0/sum"])
def test_what_a_network_can_not_give_is_refused(name, make_vit, crops):
    with pytest.raises(UsageError):
        record(make_vit(0), torch.from_numpy(crops), [name])


class _PeakMemory(TorchDispatchMode):
    """Counts the bytes of the tensors that a pass makes and that are alive, and the most there ever were."""

    def __init__(self, vit) -> None:
        super().__init__()
        self.alive = self.peak = 0
        self._weights = {tensor.untyped_storage()._cdata for tensor in (*vit.parameters(), *vit.buffers())}
        self._storages: dict[int, weakref.ref] = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor):
                self._see(tensor.untyped_storage())
        return result

    def _see(self, storage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self._storages or key in self._weights:
            return

        def gone(_):
            del self._storages[key]
            self.alive -= size

        self._storages[key] = weakref.ref(storage, gone)
        self.alive += size
        self.peak = max(self.peak, self.alive)


def _peak(vit, run) -> int:
    with _PeakMemory(vit) as memory, torch.no_grad():
        run()
    return memory.peak


@pytest.mark.parametrize(
    "specs",
    [
        ["vitnt:weighting=uniform", "attn"],
        ["vitnt:weighting=last", "attn", "exit:3"],
        ["vitnt:weighting=uniform,norm=none", "exit-depth"],
    ],
    ids=str,
)
def test_memory_does_not_grow_with_depth(specs, make_vit, crops):
    one = torch.from_numpy(crops[:1])
    shallow, deep = (make_vit(0, depth=d, patch_size=8, width=48, **FULL).fold() for d in (4, 32))
    wanted = {vit: needs([parse(spec, describe(vit)) for spec in specs]) for vit in (shallow, deep)}
    peaks = [_peak(vit, lambda vit=vit: record(vit, one, wanted[vit])) for vit in (shallow, deep)]
    evidence = 28 * (14 * 14 + 1) * 4  # a number a patch and block
    assert peaks[1] <= peaks[0] + evidence

    def keep_all():
        return [state.tokens for state in deep.walk(one)]

    assert _peak(deep, keep_all) > peaks[0] + 10 * evidence  # what this test would see if tokens were kept


def test_at_most_two_token_tensors_are_alive(make_vit, crops):
    vit = make_vit(0, depth=6)
    seen: weakref.WeakSet = weakref.WeakSet()
    most = 0
    for state in vit.walk(torch.from_numpy(crops)):
        for tokens in (state._tokens_in, state.tokens):
            seen.add(_Box.of(tokens))
        most = max(most, len(seen))
        del tokens
    assert most == 2


class _Box:
    """Lives exactly as long as the tensor it stands for, and can be put into a set."""

    @classmethod
    def of(cls, tensor) -> _Box:
        if not hasattr(tensor, "_box"):
            tensor._box = cls()
        return tensor._box


@pytest.fixture(scope="module")
def answer(make_vit):
    vit = make_vit(5, depth=4, **FULL).fold()
    card = describe(vit)
    resolved = [
        parse(spec, card) for spec in ("vitnt:weighting=mean", "attn", "exit-depth", "attn:reduce=median")
    ]
    wanted = (*needs(resolved), "embedding")

    def run(images):
        with torch.inference_mode():
            return {k: v.numpy() for k, v in record(vit, torch.from_numpy(images), wanted).items()}

    return run


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 7), st.integers(0, 2**32 - 1))
def test_results_follow_the_order_of_the_crops(answer, n, seed):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (n, 112, 112, 3), dtype=np.uint8)
    order = rng.permutation(n)
    straight, shuffled = answer(images), answer(images[order])
    for name, values in straight.items():
        # matrix products work in tiles of rows, so the last bit may depend on the place in the batch
        np.testing.assert_allclose(shuffled[name], values[order], rtol=1e-6, atol=1e-6 * np.abs(values).max())


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 7), st.integers(0, 2**32 - 1))
def test_results_do_not_depend_on_the_batch_size(answer, n, seed):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (n, 112, 112, 3), dtype=np.uint8)
    cut = int(rng.integers(1, n))
    whole, first, rest = answer(images), answer(images[:cut]), answer(images[cut:])
    for name, values in whole.items():
        parts = np.concatenate([first[name], rest[name]])
        np.testing.assert_allclose(parts, values, rtol=1e-5, atol=1e-5 * np.abs(values).max())
