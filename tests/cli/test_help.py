"""Help texts have one form, and what has one name in two commands has one text."""

from __future__ import annotations

import inspect
import typing
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.cli.runs import fiqa

from fiqa.cli.main import COMMANDS

# what these name differs from command to command
OWN = {
    "output",
    "align",  # photographs, or crops of a data set
    "batch_size",  # that of a server is filled by several callers
    "max_file_size",
    "timeout",
    "copy",  # into groups, or of the best
    "top",  # of a group of a table, or of a person in a video
    "gate",  # a column of a table, or the end of a search
}


def options(command: Callable[..., Any]) -> Iterator[tuple[str, Any]]:
    """(name, typer's record) of each option and argument."""
    hints = typing.get_type_hints(command, include_extras=True)
    for name in inspect.signature(command).parameters:
        yield name, hints[name].__metadata__[0]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.__name__)
def test_every_option_has_one_line_of_help_that_ends_with_a_period(command: Callable[..., Any]) -> None:
    for name, info in options(command):
        assert info.help, f"{name} has no help"
        assert info.help.endswith("."), f"{name}: {info.help}"
        assert "\n" not in info.help
        # rich takes [default: …] for a style and prints nothing: show_default is for that
        assert "[default" not in info.help, f"{name}: {info.help}"
    first = inspect.getdoc(command).splitlines()[0]
    assert first.endswith(".") or "?" in first


def test_an_option_of_one_name_says_one_thing() -> None:
    texts, letters = defaultdict(set), defaultdict(set)
    for command in COMMANDS:
        for name, info in options(command):
            texts[name].add(info.help.replace("; repeatable", ""))
            letters[name].add(tuple(flag for flag in info.param_decls or () if not flag.startswith("--")))
    assert {name: said for name, said in texts.items() if len(said) > 1 and name not in OWN} == {}
    del letters["output"]  # the one thing that export writes stands first
    assert {name: flags for name, flags in letters.items() if len(flags) > 1} == {}


def test_defaults_that_are_decided_later_are_shown() -> None:
    shown = fiqa("score", "--help").stdout.decode()
    for default in ("(all)", "(20)", "(1280)"):
        assert f"[default: {default}]" in shown
