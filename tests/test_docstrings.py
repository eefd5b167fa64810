"""Docstrings of public names have one form: arguments and fields are named, many arguments below ``Args``."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
import re
from typing import Any

import pytest

import fiqa

MANY = 4  # arguments from which a sentence can't hold them


def _public() -> dict[str, Any]:
    pytest.importorskip("torch", reason="networks need the extra torch")
    packages = [
        "fiqa",
        *(found.name for found in pkgutil.walk_packages(fiqa.__path__, "fiqa.") if found.ispkg),
    ]
    out = {}
    for package in packages:
        module = importlib.import_module(package)
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name)
            if inspect.isfunction(value) or inspect.isclass(value):
                out[f"{value.__module__}.{value.__qualname__}"] = value
    return {name: value for name, value in out.items() if name.startswith("fiqa.")}


def _section(text: str, head: str) -> set[str]:
    """The names that a section of a docstring begins its lines with; several may share a line."""
    body = re.split(r"\n(?=\S)", text.partition(f"\n{head}:\n")[2])[0]
    lines = re.findall(r"^    (\*{0,2}\w+(?:, \*{0,2}\w+)*):", body, re.MULTILINE)
    return {name.lstrip("*") for line in lines for name in line.split(", ")}


def test_everything_public_is_described():
    found = _public()
    assert len(found) > 100
    assert [name for name, value in found.items() if not (value.__doc__ or "").strip()] == []


def test_args_list_every_argument_and_no_other():
    wrong, n_listed = {}, 0
    for name, value in _public().items():
        text = inspect.getdoc(value) or ""
        if inspect.isfunction(value):
            expected = set(inspect.signature(value).parameters)
            if "\nArgs:\n" in text or len(expected) >= MANY:
                n_listed += 1
                wrong[name] = _section(text, "Args") ^ expected
    assert n_listed > 15
    assert {name: names for name, names in wrong.items() if names} == {}


def test_every_field_of_a_record_is_named():
    wrong = []
    for name, value in _public().items():
        if dataclasses.is_dataclass(value):
            fields = [field.name for field in dataclasses.fields(value) if not field.name.startswith("_")]
            wrong += [(name, field) for field in fields if field not in (inspect.getdoc(value) or "")]
    assert wrong == []
