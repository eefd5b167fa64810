"""What every method holds to: what it asks for, its spec as text, its depth, its independence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiqa.errors import UnknownName, UsageError
from fiqa.evidence import Evidence, Name, exit_, received
from fiqa.methods import METHODS, Attn, Exit, ExitDepth, ExitMean, Method, ViTNT, needs, parse
from fiqa.types import ModelCard
from methods.cases import CARD


def test_methods_ask_for_no_more_than_they_read():
    assert needs([parse("vitnt:blocks=0-2,weighting=last", CARD)]) == (
        "step/0-1/final",
        "step/1-2/final",
        "received/2",
    )
    assert parse("vitnt:blocks=0,4,8,weighting=mean,norm=none", CARD).needs() == (
        "step/0-4/none",
        "step/4-8/none",
        "received/0",
        "received/4",
        "received/8",
    )
    assert parse("vitnt:blocks=3-4,weighting=uniform", CARD).needs() == ("step/3-4/final",)
    assert parse("attn", CARD).needs() == ("logits/11/mean",)
    assert parse("exit:7", CARD).needs() == ("exit/7",)
    assert parse("exit-depth", CARD).needs() == tuple(f"exit/{i}" for i in range(1, 13))


@dataclass(frozen=True, kw_only=True)
class _Texts(Method):
    """A guest that writes the names of evidence as text."""

    name = "texts"

    def needs(self):
        return ("exit/3", "received/2")

    def score(self, evidence):
        return evidence["exit/3"] - evidence["received/2"].mean(axis=1)


def test_needs_may_be_text_and_are_read_once():
    method = _Texts()
    found = needs([method, parse("exit:3", CARD)])
    assert found == (exit_(3), received(2))
    assert all(isinstance(name, Name) for name in found)
    arrays = {exit_(3): np.ones(2, np.float32), received(2): np.full((2, 4), 0.25, np.float32)}
    np.testing.assert_array_equal(method.score(Evidence(arrays, (2, 2))), 0.75)
    with pytest.raises(UsageError, match="'exit/3' reads a block that this network of 2 blocks"):
        parse(method, ModelCard("net", depth=2, grid=(2, 2)))
    with pytest.raises(UsageError, match="reads more than 2 blocks and has no shallower form"):
        method.limited(CARD, 2)


def test_methods_of_one_call_share_what_they_read():
    both = [parse("exit-mean", CARD), parse("exit-depth", CARD), parse("exit:3", CARD)]
    assert needs(both) == both[0].needs()


_BLOCKS = st.lists(st.integers(0, 40), min_size=2, max_size=12, unique=True).map(lambda b: tuple(sorted(b)))


_METHODS = st.one_of(
    st.builds(
        ViTNT,
        blocks=_BLOCKS,
        alpha=st.floats(1e-6, 1e6),
        weighting=st.sampled_from(["uniform", "last", "mean"]),
        norm=st.sampled_from(["final", "none"]),
    ),
    st.builds(
        Attn,
        reduce=st.sampled_from(["mean", "median", "max", "inverse-std"]),
        block=st.integers(0, 40),
    ),
    st.builds(Exit, number=st.integers(1, 40)),
    st.builds(ExitMean, exits=st.integers(1, 40)),
    st.builds(ExitDepth, exits=st.integers(1, 40)),
)


_DEEP = ModelCard("deep", depth=50, grid=(2, 2), exits=True)


@given(_METHODS)
def test_a_spec_is_read_back_as_the_method_that_wrote_it(method):
    assert parse(str(method), _DEEP) == method
    assert str(parse(str(method))) == str(method)


@given(_METHODS, st.integers(1, 40))
def test_a_method_fits_a_model_or_is_refused(method, depth):
    card = ModelCard("net", depth=depth, grid=(2, 2), exits=True)
    fits = max(Name(name).last_block(50) for name in method.needs()) < depth
    if fits:
        assert parse(method, card) == method
    else:
        with pytest.raises(UsageError, match=r"blocks go up|block goes|exits go"):
            parse(method, card)


@given(_METHODS, st.integers(2, 50))
def test_a_limited_method_reads_no_deeper_than_its_limit(method, limit):
    limited = method.limited(_DEEP, limit)
    assert max(Name(name).last_block(50) for name in limited.needs()) < limit


@pytest.mark.parametrize(
    ("spec", "canonical"),
    [
        ("vitnt", "vitnt"),
        ("vitnt:alpha=3.50,blocks=0,1,2,8", "vitnt:blocks=0-2,8,alpha=3.5"),
        ("vitnt:blocks=all", "vitnt"),
        (" attn ", "attn"),
        ("attn:reduce=inverse-std", "attn:reduce=inverse-std"),
        ("exit:7", "exit:7"),
        ("exit:number=7", "exit:7"),
        ("exit-mean", "exit-mean"),
        ("exit-depth:exits=6", "exit-depth:exits=6"),
    ],
)
def test_specs_have_one_canonical_text(spec, canonical):
    assert str(parse(spec)) == canonical


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("vitt", "Did you mean 'vitnt'"),
        ("atn", "Did you mean 'attn'"),
        ("exit_depth", "Did you mean 'exit-depth'"),
        ("", "no method ''"),
        ("vitnt:weigting=last", "Did you mean 'weighting'"),
        ("attn:reduction=max", "Did you mean 'reduce'"),
        ("exit-mean:number=3", "no option of exit-mean 'number'"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(spec, message):
    with pytest.raises(UnknownName, match=message):
        parse(spec)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("vitnt:alpha=0", "alpha of vitnt must be a positive number, but got '0'"),
        ("vitnt:alpha=-1", "alpha of vitnt must be a positive number"),
        ("vitnt:alpha=nan", "alpha of vitnt must be a positive number"),
        ("vitnt:alpha=inf", "alpha of vitnt must be a positive number"),
        ("vitnt:alpha=x", "alpha of vitnt must be a positive number, but got 'x'"),
        ("vitnt:blocks=4", "two or more ascending"),
        ("vitnt:blocks=4,2", "two or more ascending"),
        ("vitnt:blocks=2,2", "two or more ascending"),
        ("vitnt:blocks=5-2", "such as 0-11 or 0,4,8, but got '5-2'"),
        ("vitnt:blocks=0-2,5-3", "such as 0-11 or 0,4,8, but got '0-2,5-3'"),
        ("vitnt:blocks=a-b", "such as 0-11 or 0,4,8, but got 'a-b'"),
        ("vitnt:blocks=", "option blocks of vitnt must have a value"),
        ("vitnt:blocks=0-99999999999", "such as 0-11"),
        ("vitnt:weighting=first", "weighting of vitnt must be one of uniform, last, mean, but got 'first'"),
        ("vitnt:norm=l2", "norm of vitnt must be one of final, none"),
        ("vitnt:0-11", "option=value, but got '0-11'"),
        ("attn:reduce=sum", "reduce of attn must be one of mean, median, max, inverse-std"),
        ("attn:block=1.5", "block of attn must be a whole number"),
        ("exit:x", "number of exit must be a whole number, but got 'x'"),
        ("exit:1,2", "whole number"),
    ],
)
def test_a_bad_option_is_refused_with_what_is_allowed(spec, message):
    with pytest.raises(UsageError, match=message):
        parse(spec)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("vitnt:blocks=0-12", "go up to 11 in net"),
        ("attn:block=12", "from 0 to 11 in net, but got 12"),
        ("attn:block=-1", "from 0 to 11"),
        ("exit:0", "from 1 to 12 in net, but got 0"),
        ("exit:13", "from 1 to 12"),
        ("exit-mean:exits=13", "from 1 to 12"),
        ("exit-depth:exits=0", "from 1 to 12"),
    ],
)
def test_a_depth_that_the_model_does_not_have_is_refused(spec, message):
    with pytest.raises(UsageError, match=message):
        parse(spec, CARD)


def test_what_a_spec_leaves_open_comes_from_the_model():
    card = ModelCard("b", depth=24, grid=(14, 14), defaults={"vitnt": "vitnt:blocks=0-19,weighting=mean"})
    assert str(parse("vitnt", card)) == "vitnt:blocks=0-19,alpha=8,weighting=mean,norm=final"
    assert str(parse("vitnt:blocks=0-3", card)) == "vitnt:blocks=0-3,alpha=8,weighting=mean,norm=final"


def test_the_registry_holds_the_methods_of_the_three_papers():
    assert {"vitnt", "attn", "exit", "exit-mean", "exit-depth"} <= set(METHODS)
    for method in METHODS.values():
        assert method.summary
        assert "arXiv" in method.source


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6), st.integers(1, 5), st.integers(1, 5), st.integers(2, 5), st.integers(0, 2**32 - 1))
def test_the_scores_of_a_crop_do_not_depend_on_its_neighbours(n, rows, columns, depth, seed):
    rng = np.random.default_rng(seed)
    card = ModelCard("net", depth=depth, grid=(rows, columns), exits=True)
    specs = ["vitnt:weighting=mean", "vitnt:weighting=uniform", "attn", "exit-depth"]
    resolved = [parse(spec, card) for spec in specs]
    arrays = {
        name: rng.random((n,) if name.startswith("exit") else (n, rows * columns), dtype=np.float32)
        for name in needs(resolved)
    }
    order = rng.permutation(n)
    whole, shuffled = (
        Evidence({k: v[o] for k, v in arrays.items()}, card.grid) for o in (np.arange(n), order)
    )
    for method in resolved:
        scores = method.score(whole)
        assert scores.shape == (n,)
        assert scores.dtype == np.float32
        np.testing.assert_array_equal(method.score(shuffled), scores[order])
        patch_map = method.patch_map(whole)
        assert patch_map is None or patch_map.shape == (n, rows, columns)
