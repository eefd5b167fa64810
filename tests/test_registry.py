"""A registry holds ours and the guests': a name once, the nearest suggested, a broken guest told."""

from __future__ import annotations

from importlib import metadata

import pytest

from fiqa.errors import DataError, UnknownName, UsageError
from fiqa.registry import Registry


class Ours:
    name = "ours"


class Guest:
    name = "guest"


class Other:
    name = "ours"


class _Point:
    """As much of an entry point as a registry reads."""

    dist = None

    def __init__(self, name, found):
        self.name, self._found = name, found

    def load(self):
        if isinstance(self._found, Exception):
            raise self._found
        return self._found


@pytest.fixture
def registry(monkeypatch):
    points = [
        _Point("guest", Guest),
        _Point("bad", ImportError("no module named 'x'")),
        _Point("ours", Other),
    ]
    monkeypatch.setattr(metadata, "entry_points", lambda group: points if group == "there" else [])
    registry = Registry("thing", "there")
    registry.register(Ours)
    return registry


def test_a_name_of_ours_needs_no_guest(registry):
    assert registry["ours"] is Ours
    assert not registry.broken


def test_guests_are_found_and_listed(registry):
    assert registry.find("guest") is Guest
    assert sorted(registry) == ["guest", "ours"]
    assert len(registry) == 2
    assert "guest" in registry
    assert "missing" not in registry


def test_a_double_name_is_refused(registry):
    with pytest.raises(
        UsageError, match=r"the thing 'ours' of .*Other must have a name of its own, but .*Ours has it"
    ):
        registry.register(Other)
    assert registry.register(Ours) is Ours
    assert registry["ours"] is Ours


def test_a_broken_guest_is_told_when_named_and_does_no_harm_otherwise(registry):
    assert "ours" in list(registry)
    with pytest.raises(DataError, match=r"the thing 'bad' can't be loaded: no module named 'x'"):
        registry.find("bad")
    assert "must have a name of its own" in registry.broken["ours"]
    assert registry.find("ours") is Ours


def test_an_unknown_name_is_answered_with_the_nearest(registry):
    with pytest.raises(UnknownName, match=r"no thing 'gest'\. Did you mean 'guest'"):
        registry.find("gest")
    with pytest.raises(KeyError):
        registry["gest"]


def test_an_object_with_the_name_of_another_is_refused():
    from fiqa.evaluation.datasets import DATASETS, Dataset, DatasetInfo

    mine = DatasetInfo(
        name="lfw",
        title="mine",
        needs=("a file",),
        source="-",
        comparisons="-",
        read=lambda path: Dataset("x", [], ()),
    )
    with pytest.raises(UsageError, match="data set 'lfw'"):
        DATASETS.register(mine)
    assert DATASETS.register(DATASETS["lfw"]) is DATASETS["lfw"]
