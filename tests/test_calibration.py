from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiqa.calibration import Calibration, Profile, Threshold, read_gate, round_raw, round_score
from fiqa.errors import DataError, UsageError
from fiqa.pipeline.rows import columns, row
from fiqa.types import Quality


def _calibration(spec: str = "attn") -> Calibration:
    gates = (
        Threshold(kind="discard", target=0.1, raw=0.1, score=25.0, low=0.05, high=0.2, discarded=0.0999),
        Threshold(kind="fnmr", target=0.01, raw=0.3, score=45.0, low=0.1, high=0.35, discarded=0.3),
    )
    return Calibration(
        spec=spec,
        raw=(0.0, 0.2, 1.0),
        score=(5.0, 40.0, 90.5),
        meaning="per cent of x",
        low=(1, 2, 3),
        high=(50, 60, 99),
        thresholds=gates,
    )


def test_lines_between_knots_and_level_ends():
    calibration = _calibration()
    raw = np.array([[-np.inf, -1, 0.0, 0.1], [0.2, 0.6, 2.0, np.nan]])
    found = calibration(raw)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [[5, 5, 5, 22.5], [40, 65.25, 90.5, np.nan]])
    assert calibration(0.1).shape == ()
    assert calibration.raw_at(22.5) == pytest.approx(0.1)
    with pytest.raises(UsageError, match="101"):
        calibration.raw_at(101)


@given(st.lists(st.floats(-2, 2), min_size=2, max_size=20))
def test_order_is_kept(raw):
    found = _calibration()(np.sort(raw))
    assert (np.diff(found) >= 0).all()


def test_stored_gates():
    calibration = _calibration()
    assert calibration.threshold("fnmr", 0.01).raw == 0.3
    assert calibration.threshold("discard", 0.30000000000000004 / 3).raw == 0.1
    with pytest.raises(UsageError, match=r"no gate fnmr=50% .* it has: discard=10%, fnmr=1%$"):
        calibration.threshold("fnmr", 0.5)


@pytest.mark.parametrize("rule", ["fnmr=1%", " fnmr = 1 % ", "fnmr=0.01", "fnmr=1e-2"])
def test_a_rule_names_a_gate_of_the_profile_with_its_interval(rule):
    calibration = _calibration()
    gate = read_gate(rule, calibration)
    assert (gate.rule, gate.score, gate.threshold) == ("fnmr=1%", 45.0, calibration.threshold("fnmr", 0.01))
    assert (gate.low, gate.high) == (pytest.approx(22.5), pytest.approx(49.46875))  # of raw 0.1 and 0.35
    assert str(gate) == (
        "a score from 45.00 passes (fnmr=1%; 95 % interval 22.50 to 49.47 over subjects; "
        "refuses 30.0% of the reference images)"
    )


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("", "a gate must be a score such as 60, or fnmr=1%, or discard=10%, but got ''"),
        ("sixty", "but got 'sixty'"),
        ("nan", "a gate must be a score such as 60"),
        ("fnmr=", "a gate must be a score such as 60"),
        ("fpr=1%", "a gate must be a score such as 60"),
        ("101", "a gate must be a score from 0 to 100, but got '101'"),
        ("-1", "from 0 to 100"),
        ("60%", "a gate must be a score such as 60"),
        ("fnmr=1", "the share of a gate must be below 1, as in 0.01 or 1%, but got 'fnmr=1'"),
        ("discard=-5%", "must be below 1"),
        ("fnmr=3%", "no gate fnmr=3% in the calibration of 'attn'; it has: discard=10%, fnmr=1%"),
    ],
)
def test_a_rule_that_is_none_is_said(rule, said):
    with pytest.raises(UsageError, match=re.escape(said)):
        read_gate(rule, _calibration())


def test_without_a_calibration_only_a_number_is_a_rule():
    assert read_gate("60", None).score == 60
    with pytest.raises(UsageError, match="stands in a calibration, and there is none"):
        read_gate("fnmr=1%", None)


def test_a_face_passes_by_its_score_and_at_a_profiles_gate_by_its_raw_score():
    number, gate = read_gate("45", None), read_gate("fnmr=1%", _calibration())
    assert [number.passes(score) for score in (45.0, 44.996, 44.99, None, math.nan)] == [
        *(True, True, False, False, False)
    ]
    assert gate.passes(44.999, 0.3)
    assert gate.passes(10, 0.31)
    assert not gate.passes(90, 0.299999)
    assert gate.passes(45)
    assert not gate.passes(44.9)
    raw = {"attn": 0.2999999, "vitnt": -1.0}
    assert gate.accepts(Quality("ok", score=45.0, scored_by="attn", raw=raw))  # 0.3 in any table
    assert not gate.accepts(Quality("ok", score=99.0, scored_by="vitnt", raw=raw))
    assert not gate.accepts(Quality("no_face", reason="none found"))
    assert not number.accepts(Quality("ok", raw=raw))  # nothing calibrates it


def test_a_table_holds_a_score_as_the_gate_compares_it():
    values = row(Quality("ok", score=44.996, scored_by="attn", raw={"attn": 0.12345678}), columns(("attn",)))
    assert (values["score"], values["attn"]) == (round_score(44.996), round_raw(0.12345678))


def test_a_calibration_that_a_table_states_reads_back():
    calibration = _calibration()
    assert Calibration.from_dict(json.loads(json.dumps(asdict(calibration)))) == calibration
    with pytest.raises(DataError, match="the calibration is damaged: it has no 'thresholds'"):
        Calibration.from_dict({"spec": "attn"})


def test_a_profile_survives_the_disk(tmp_path):
    exact = Calibration(
        spec="exit-depth:exits=6", raw=(0.1 + 0.2, 1 / 3), score=(0.1, 1e2), meaning="größer ist besser"
    )
    profile = Profile("default", {"attn": _calibration(), exact.spec: exact}, "LFW, judged by a recogniser")
    profile.save(tmp_path / "profile.json")
    loaded = Profile.load(tmp_path / "profile.json")
    assert loaded == profile
    assert loaded.calibrations[exact.spec].raw == (0.1 + 0.2, 1 / 3)
    np.testing.assert_array_equal(loaded.calibrations["attn"]([0.3]), _calibration()([0.3]))


def _changed(**changes: object) -> str:
    document = json.loads(Profile("m", {"attn": _calibration()}).to_json())
    entry = document["calibrations"]["attn"]
    for key, value in changes.items():
        if key in document:
            document[key] = value
        elif value is None:
            del entry[key]
        else:
            entry[key] = value
    return json.dumps(document)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[1]", "no calibration profile"),
        ("{}", "no calibration profile"),
        (_changed(schema=2), "schema 2"),
        (_changed(calibrations=[]), "damaged"),
        (_changed(meaning=None), "damaged: it has no 'meaning'|damaged: .*meaning"),
        (_changed(thresholds=None), "no 'thresholds'"),
        (_changed(surplus=1), "surplus"),
        (_changed(meaning=""), "say what its number means"),
        (_changed(raw=[0, 0.2]), "2 raw and 3 score knots"),
        (_changed(raw=[0, 0.2, 0.2]), "must rise"),
        (_changed(score=[5, 4, 3]), "must rise"),
        (_changed(score=[-1, 4, 30]), "within 0 and 100"),
        (_changed(score=[5, 4, 101]), "must rise"),
        (_changed(score=[1, 4, 101]), "within 0 and 100"),
        (_changed(raw=[0, "0.2", 1]), "must be a number, but got '0.2'"),
        (_changed(raw=[0, True, 2]), "must be a number, but got .True"),
        (_changed(raw=5), "damaged"),
        (_changed(low=[1]), "an interval at each of its 3 knots"),
        (_changed().replace("0.3,", "NaN,", 1), "finite"),
        (_changed(thresholds=[{"kind": "eer"}]), "damaged"),
        (_changed(raw=[0, 10**400, 2]), "must be finite, but got 10{79}$"),
        (_changed().replace("0.3,", "1" * 5000 + ",", 1), "not JSON"),
        ("[" * 100_000, "nested too deep"),
        (_changed(thresholds="gates"), "damaged"),
        (_changed(thresholds=[5]), "damaged"),
        (_changed(spec="vitnt"), "lists the calibration of 'vitnt' as 'attn'"),
        (_changed(meaning=5), "say what its number means"),
        (_changed(model=["m"]), "must be text"),
        (_changed(schema="2" * 1000), "has schema 2{40} and"),
        (
            _changed(
                thresholds=[
                    {"kind": "eer", "target": 0, "raw": 0, "score": 0, "low": 0, "high": 0, "discarded": 0}
                ]
            ),
            "'eer'",
        ),
        (
            _changed(
                thresholds=[
                    {"kind": "fnmr", "target": 0, "raw": 5, "score": 0, "low": 0, "high": 0, "discarded": 0}
                ]
            ),
            "low <= raw <= high",
        ),
    ],
)
def test_a_damaged_profile_is_one_clear_error(text, message, tmp_path):
    path = tmp_path / "my-profile.json"
    path.write_text(text)
    with pytest.raises(DataError, match=message) as caught:
        Profile.load(path)
    assert "my-profile.json" in str(caught.value)


def test_a_missing_or_binary_file(tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.json"):
        Profile.load(tmp_path / "nowhere.json")
    (tmp_path / "x.json").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(DataError, match=r"x\.json"):
        Profile.load(tmp_path / "x.json")


def test_a_calibration_under_the_wrong_name():
    with pytest.raises(DataError, match="'vitnt'"):
        Profile("m", {"vitnt": _calibration("attn")})


def test_importing_calibration_is_light():
    code = "import sys, fiqa.calibration; print([m for m in ('torch', 'matplotlib') if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "[]\n"
    )
