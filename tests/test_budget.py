"""Budgets: shares, GFLOPs and milliseconds choose the deepest pass that fits."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiqa import Scorer, budget
from fiqa.budget import Budget, milliseconds
from fiqa.engines import TorchEngine
from fiqa.errors import UsageError
from fiqa.evidence import REDUCTIONS, Evidence, read_names
from fiqa.methods import parse
from fiqa.types import ModelCard

COSTS = tuple(0.1 + 0.9 * block for block in range(1, 13))  # 1.0, 1.9, … 10.9
CARD = ModelCard("net", depth=12, grid=(2, 2), exits=True, gflops=COSTS)
METHODS = tuple(parse(spec, CARD) for spec in ("vitnt", "attn", "exit-depth"))


class _Clockwork:
    """An engine whose every block takes the same known time."""

    name, precision = "clockwork", "fp32"

    def __init__(self, card=CARD, seconds_a_block=0.002):
        self.card, self.seconds = card, seconds_a_block
        self.depths = []
        self.clock = 0.0

    def run(self, crops, wanted):
        names = read_names(wanted, self.card.depth)
        depth = max(name.last_block(self.card.depth) for name in names) + 1
        self.depths.append(depth)
        self.clock += self.seconds * depth
        return Evidence({name: np.zeros((len(crops), 4), np.float32) for name in names}, self.card.grid)


@pytest.mark.parametrize(
    ("text", "depth"),
    [
        ("100%", 12),
        ("50%", 5),  # 5.45 of 10.9: five blocks take 4.6, six 5.5
        ("3 GFLOPs", 3),
        ("2.8gflop", 3),
        ("2.79GFLOPS", 2),
        ("10.9 gflops", 12),
        ("1000 gflops", 12),
    ],
)
def test_the_deepest_pass_within_a_share_or_gflops(text, depth):
    assert Budget.parse(text).depth(_Clockwork(), METHODS) == depth


@pytest.mark.parametrize(("text", "depth"), [("19 ms", 9), ("9 ms", 4), ("4.1 ms", 2), ("1000ms", 12)])
def test_the_deepest_pass_within_milliseconds(text, depth, monkeypatch):
    engine = _Clockwork()
    monkeypatch.setattr(budget, "time", SimpleNamespace(perf_counter=lambda: engine.clock))
    assert Budget.parse(text).depth(engine, METHODS) == depth


def test_a_method_that_compares_no_blocks_can_do_with_one():
    assert Budget.parse("9.2%").depth(_Clockwork(), METHODS[1:]) == 1
    with pytest.raises(UsageError, match="2 of net's blocks"):
        Budget.parse("9.2%").depth(_Clockwork(), METHODS)


@pytest.mark.parametrize("text", ["1%", "0.9 GFLOPs"])
def test_less_than_one_block_is_refused(text):
    with pytest.raises(UsageError, match="2 of net's blocks take"):
        Budget.parse(text).depth(_Clockwork(), METHODS)


def test_costs_that_are_not_known_ask_for_milliseconds():
    engine = _Clockwork(ModelCard("net", depth=12, grid=(2, 2)))
    with pytest.raises(UsageError, match="give the budget in ms"):
        Budget.parse("50%").depth(engine, ())


@pytest.mark.parametrize(
    "text", ["", "50", "0%", "0 ms", "-3%", "fast", "50 %%", "1e3ms", "ms", "3 TFLOPs", "nan%"]
)
def test_anything_else_is_no_budget(text):
    with pytest.raises(UsageError, match=r"50%, 3GFLOPs, 20ms"):
        Budget.parse(text)


@pytest.mark.parametrize("text", ["150%", "100.1%", "1000000%"])
def test_a_share_beyond_the_whole_pass_is_refused(text):
    with pytest.raises(UsageError, match=r"at most the whole pass, 100%, but got"):
        Budget.parse(text)


@given(st.sampled_from(["%", "gflops", "ms"]), st.integers(1, 10**5))
def test_a_budget_is_read_back_from_its_text(unit, thousandths):
    wanted = Budget(thousandths / 1000, unit)
    assert Budget.parse(f"{thousandths / 1000:.3f} {unit}") == wanted
    assert unit.upper() in str(wanted).upper()


@given(st.integers(1, 100), st.integers(1, 100))
def test_more_budget_is_never_less_depth(a, b):
    low, high = sorted((max(a, 10), max(b, 10)))
    assert Budget(low, "%").depth(_Clockwork(), ()) <= Budget(high, "%").depth(_Clockwork(), ())


def test_methods_are_cut_to_the_budget():
    limited = [str(method.limited(CARD, 6)) for method in METHODS]
    assert limited == [
        "vitnt:blocks=0-5,alpha=8,weighting=last,norm=final",
        "attn:reduce=mean,block=5",
        "exit-depth:exits=6",
    ]
    assert str(parse("exit:9", CARD).limited(CARD, 6)) == "exit:6"
    assert str(parse("exit:3", CARD).limited(CARD, 6)) == "exit:3"
    assert str(parse("vitnt:blocks=0,4,8", CARD).limited(CARD, 6)).startswith("vitnt:blocks=0,4,")


def test_time_is_the_median_of_one_face(monkeypatch):
    engine = _Clockwork(seconds_a_block=0.003)
    monkeypatch.setattr(budget, "time", SimpleNamespace(perf_counter=lambda: engine.clock))
    assert milliseconds(engine, ["exit/2"]) == pytest.approx(6)
    assert engine.depths == [2] * 6
    assert milliseconds(engine, ["exit/2"], batch_size=4) == pytest.approx(1.5)
    with pytest.raises(UsageError, match="2 of net's blocks do not run within 2 ms"):
        Budget.parse("2 ms").depth(engine, METHODS)


def test_a_real_network_s_budget(make_vit):
    vit = make_vit(0, depth=4, quality="token", quality_token=True)
    engine = TorchEngine(vit, device="cpu")
    costs = engine.card.gflops
    assert Budget(costs[1], "gflops").depth(engine, ()) == 2
    assert Budget.parse("100%").depth(engine, ()) == 4
    assert Budget.parse("100000 ms").depth(engine, [parse("exit-depth", engine.card)]) == 4


@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_the_embedded_model_answers_every_reduction_within_a_budget(reduce, crops):
    scorer = Scorer(methods=[f"attn:reduce={reduce}"], budget="50%", engine="onnxruntime", threads=1)
    (scores,) = scorer.score_crops(crops).values()
    assert "block=2" in scorer.used[f"attn:reduce={reduce}"]
    assert np.isfinite(scores).all()
