from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiqa.calibration import Calibration, Profile, Threshold
from fiqa.errors import DataError, UsageError


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
    with pytest.raises(UsageError, match=r"discard 0\.1, fnmr 0\.01"):
        calibration.threshold("fnmr", 0.5)


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
