"""Records of more than three fields are made by keyword, so that no call depends on the order of fields."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import fields, is_dataclass

import pytest

import fiqa
from fiqa import Face, ModelCard, Quality
from fiqa.evaluation import Dataset

BY_PLACE = {  # what users write by place: what a thing is, or is called, and where it stands
    Dataset: ["name", "images", "names"],
    Face: ["box", "landmarks", "confidence"],
    ModelCard: ["name"],
    Quality: ["status"],
}


def _records() -> list[type]:
    """Every dataclass of the package."""
    found = {}
    for module in pkgutil.walk_packages(fiqa.__path__, "fiqa."):
        if module.name == "fiqa.__main__":
            continue
        for thing in vars(importlib.import_module(module.name)).values():
            if isinstance(thing, type) and is_dataclass(thing) and thing.__module__.startswith("fiqa."):
                found[f"{thing.__module__}.{thing.__qualname__}"] = thing
    return [found[name] for name in sorted(found)]


pytest.importorskip("torch", reason="importing every module needs the extra torch")
RECORDS = _records()


def test_every_record_is_seen():
    assert len(RECORDS) > 50
    assert BY_PLACE.keys() <= set(RECORDS)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: f"{record.__module__}.{record.__qualname__}")
def test_a_record_of_more_than_three_fields_is_made_by_keyword(record):
    given = [field for field in fields(record) if field.init]
    by_place = [field.name for field in given if not field.kw_only]
    assert len(given) <= 3 or by_place == BY_PLACE.get(record, [])
