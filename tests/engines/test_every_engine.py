"""Every engine with every method gives torch's numbers, whatever the batch."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.cases import METHODS, SMALL
from fiqa import evidence as names
from fiqa.errors import UsageError
from fiqa.methods import needs, parse
from fiqa.network import describe
from fiqa.types import check_crops


@pytest.mark.parametrize("spec", METHODS)
def test_every_engine_gives_torch_s_scores_and_maps(spec, small, reference, crops):
    method = parse(spec, reference.card)
    got, want = (engine.run(crops, method.needs()) for engine in (small, reference))
    assert list(got) == list(method.needs())
    score, expected = method.score(got), method.score(want)
    np.testing.assert_allclose(score, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
    if (patch_map := method.patch_map(want)) is not None:
        np.testing.assert_allclose(
            method.patch_map(got), patch_map, rtol=1e-4, atol=1e-4 * np.abs(patch_map).max()
        )


def test_evidence_is_float32_named_and_shaped_as_promised(small, crops):
    n_patches = 49
    shapes = {
        "step/0-1/final": (n_patches,),
        "step/0-3/none": (n_patches,),
        "received/2": (n_patches,),
        "logits/3/mean": (n_patches,),
        "logits/3/max": (n_patches,),
        "logits/3/median": (),
        "logits/3/inverse-std": (),
        "exit/2": (),
        "embedding": (6,),
        "state/1/final": (n_patches, 16),
    }
    for n in (1, 5):
        evidence = small.run(crops[:n], list(shapes))
        found = {name: array.shape for name, array in evidence.items()}
        assert found == {name: (n, *shape) for name, shape in shapes.items()}
        assert {array.dtype for array in evidence.values()} == {np.dtype(np.float32)}
        assert evidence.grid == (7, 7)


def test_a_step_from_states_equals_the_direct_one(small, reference, crops):
    for before, after in ((0, 2), (0, 3), (1, 3)):
        name = names.step(before, after, "final")
        got, want = small.run(crops, [name])[name], reference.run(crops, [name])[name]
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def test_strided_and_reversed_crops_are_read_as_they_look(small, crops):
    want = small.run(np.ascontiguousarray(crops[::-1, :, ::-1]), ["exit/2"])["exit/2"]
    np.testing.assert_array_equal(small.run(crops[::-1, :, ::-1], ["exit/2"])["exit/2"], want)


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_results_do_not_depend_on_order_or_batch_size(small, n, seed):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (n, 112, 112, 3), dtype=np.uint8)
    methods = [parse(spec, small.card) for spec in ("vitnt", "attn", "exit-depth")]
    order = rng.permutation(n)
    whole = small.run(images, needs(methods))
    shuffled = small.run(images[order], needs(methods))
    single = [small.run(image[None], needs(methods)) for image in images]
    for method in methods:
        scores = method.score(whole)
        # matrix products work in tiles of rows, so the last bit may depend on the place in the batch
        np.testing.assert_allclose(
            method.score(shuffled), scores[order], rtol=1e-5, atol=1e-6 * np.abs(scores).max()
        )
        alone = np.concatenate([method.score(evidence) for evidence in single])
        np.testing.assert_allclose(alone, scores, rtol=1e-5, atol=1e-5 * np.abs(scores).max())


def test_crops_beyond_one_pass_give_what_each_pass_gives(small):
    """An engine takes so many at once; more must neither be lost, nor added, nor changed to the last bit."""
    wanted = needs([parse("attn", small.card), parse("exit-mean", small.card)])
    size = small.at_once
    crops = np.random.default_rng(0).integers(0, 256, (size + 3, 112, 112, 3), dtype=np.uint8)
    whole, first, rest = (small.run(part, wanted) for part in (crops, crops[:size], crops[size:]))
    for name in wanted:
        assert len(whole[name]) == size + 3
        assert np.array_equal(whole[name][:size], first[name])
        np.testing.assert_allclose(whole[name][size:], rest[name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "crops",
    [
        np.zeros((112, 112, 3), np.uint8),
        np.zeros((1, 3, 112, 112), np.uint8),
        np.zeros((1, 112, 112, 4), np.uint8),
        np.zeros((1, 112, 112, 3), np.float32),
        [],
        None,
    ],
    ids=lambda crops: str(getattr(crops, "shape", crops)),
)
def test_crops_of_another_shape_or_type_are_refused(crops):
    with pytest.raises(UsageError, match=r"uint8 of shape \(B, 112, 112, 3\), RGB, but got"):
        check_crops(crops)


def test_the_card_says_what_the_network_is(small, make_vit):
    assert small.card == describe(make_vit(0, **SMALL))
