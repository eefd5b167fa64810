"""Limits: what they may be, what they decide, and what a gate may refuse on."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest

from fiqa.errors import UnknownName, UsageError
from fiqa.reasons import ADVICE, CODES, EXPOSURE, Policy, diagnose
from fiqa.reasons.diagnosis import RULES
from fiqa.types import Reason

FLAT = np.full((112, 112, 3), 128, np.uint8)


def test_every_code_has_one_sentence_and_its_place():
    assert set(ADVICE) == {*CODES, "motion"}
    for sentence in ADVICE.values():
        assert sentence.endswith(".")
        assert sentence[0].isupper()
        assert sentence.count(".") == 1
    places = [CODES.index(rule.code) for rule in RULES]
    assert places == sorted(places)
    assert {rule.code for rule in RULES} == {*CODES} - {"no_face", "unexplained"}
    assert {rule.limit for rule in RULES} == {*Policy().limits()} - {"unexplained"}


@pytest.mark.parametrize("limit", [-1, math.nan, math.inf, "much", True])
def test_a_limit_is_a_number_from_0_up(limit):
    with pytest.raises(UsageError, match="noise must be a number from 0 up"):
        Policy(noise=limit)


def test_advice_is_of_codes():
    with pytest.raises(UnknownName, match="sharpness"):
        Policy(advice={"sharpnes": "Nimm die Hand weg."})


def test_a_limit_of_none_gives_no_reason_and_one_of_ones_own_decides():
    blank = [reason.code for reason in diagnose(None, None, FLAT).reasons]
    assert "blank_area" in blank
    without = diagnose(None, None, FLAT, Policy(blank_area=None)).reasons
    assert [reason.code for reason in without] == [code for code in blank if code != "blank_area"]
    assert "blank_area" not in [r.code for r in diagnose(None, None, FLAT, Policy(blank_area=1.0)).reasons]


def test_a_sentence_in_another_language():
    policy = Policy(advice={"blank_area": "Nichts darf das Gesicht verdecken."})
    (said,) = [r for r in diagnose(None, None, FLAT, policy).reasons if r.code == "blank_area"]
    assert said.advice == "Nichts darf das Gesicht verdecken."


def test_a_gate_ignores_exposure_unless_asked():
    reasons = tuple(Reason(code=code) for code in CODES)
    assert {reason.code for reason in Policy().refused(reasons)} == {*CODES} - EXPOSURE
    assert Policy(gate_exposure=True).refused(reasons) == reasons


def test_a_policy_travels():
    policy = Policy(roll=8, advice={"roll": "Kopf gerade halten."})
    assert pickle.loads(pickle.dumps(policy)) == policy
    icao = Policy.icao()
    assert (icao.resolution, icao.roll) == (90, 8)
