"""Every text that the library raises has one form: rule, value, remedy, in one sentence, no final period."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import fiqa

SOURCE = Path(fiqa.__file__).parent
ERRORS = (
    "UsageError",
    "DataError",
    "ImageError",
    "CheckpointMismatch",
    "MissingExtra",
    "FiqaError",
    "unknown",
)


def _texts(path: Path) -> Iterator[tuple[int, str]]:
    """(line, text) of each message that a call of one of our errors holds; a value stands as {}."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ERRORS:
            for argument in node.args:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    yield node.lineno, argument.value
                elif isinstance(argument, ast.JoinedStr):
                    parts = (p.value if isinstance(p, ast.Constant) else "{}" for p in argument.values)
                    yield node.lineno, "".join(map(str, parts))


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda p: str(p.relative_to(SOURCE)))
def test_messages_have_one_form(path):
    wrong = [
        f"{path.name}:{line}: {text}"
        for line, text in _texts(path)
        if text.rstrip().endswith((".", "!")) or ", got {}" in text or "\n" in text
    ]
    assert not wrong, "\n".join(wrong)
