"""One reader for ``name:option=value``: lists, paths with commas and colons, plain numbers."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiqa import specs
from fiqa.errors import UnknownName, UsageError


@dataclass(frozen=True, kw_only=True)
class Kind:
    blocks: tuple[int, ...] = specs.option(read=specs.ranges, expects="numbers and ranges")
    alpha: float = specs.option(8.0, read=specs.number, expects="a number")
    how: str = specs.one_of("last", ("last", "mean"))
    model: str = specs.option("")
    positional = "alpha"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("alpha=2", {"alpha": 2.0}),
        ("2.5", {"alpha": 2.5}),
        ("blocks=0,4,8-10,how=mean", {"blocks": (0, 4, 8, 9, 10), "how": "mean"}),
        ("model=a,b/c.onnx,alpha=1", {"model": "a,b/c.onnx", "alpha": 1.0}),
        ("model=C:/nets/x.onnx", {"model": "C:/nets/x.onnx"}),
    ],
)
def test_options_are_read_as_their_fields_say(text, expected):
    assert specs.read("kind", Kind, text) == expected


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("alhpa=2", UnknownName, "Did you mean 'alpha'"),
        ("alpha=", UsageError, "option alpha of kind must have a value"),
        ("alpha=1,alpha=2", UsageError, "option alpha of kind must be given once"),
        ("alpha=one", UsageError, "alpha of kind must be a number, but got 'one'"),
        ("how=first", UsageError, "how of kind must be one of last, mean, but got 'first'"),
        ("blocks=3-x", UsageError, "blocks of kind must be numbers and ranges"),
        ("blocks=0-99999999", UsageError, "blocks of kind must be numbers and ranges"),
    ],
)
def test_what_does_not_fit_is_one_sentence(text, error, message):
    with pytest.raises(error, match=message):
        specs.read("kind", Kind, text)


@pytest.mark.parametrize("text", ["²", "١", "1_0", "0x10", "", "1.5", "9" * 5000, "--1"])
def test_a_whole_number_has_plain_digits(text):
    with pytest.raises(ValueError, match="is no whole number"):
        specs.whole(text)


@pytest.mark.parametrize("text", ["nan", "inf", "1_0", "1,5", "1e999", "", "9" * 5000, "٣"])
def test_a_number_is_plain_and_finite(text):
    with pytest.raises(ValueError, match="is no number"):
        specs.number(text)


@given(st.lists(st.integers(0, 200), min_size=1, unique=True).map(sorted))
def test_ranges_are_read_back(numbers):
    assert specs.ranges(specs.as_text(tuple(numbers))) == tuple(numbers)


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e30, max_value=1e30))
def test_numbers_are_read_back(value):
    assert specs.number(specs.as_text(value)) == value
