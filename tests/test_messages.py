"""Every text that the library raises has one form: rule, value, remedy, in one sentence, no final period."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.test_help import options

import fiqa
from fiqa.cli.main import COMMANDS

SOURCE = Path(fiqa.__file__).parent
ROOT = Path(__file__).parents[1]
PAGES = (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"))
# what is written otherwise → how; options, identifiers and quoted names keep the spelling of code
SPELLING = {
    "datasets?": "data set",
    r"recogniz\w+": "recognis…",
    r"(normal|quant|optim|initial|serial|summar)iz\w+": "…is…",
    "colors?|colored": "colour",
    "gray|grayscale": "grey",
    "behaviors?": "behaviour",
    "licenses?|licensed": "licence",
    "centers?|centered": "centre",
    r"analyz\w+": "analys…",
    "cannot": "can't",
    "filenames?": "file name, or name",
    "director(y|ies)": "folder",
}
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


def _prose(text: str) -> str:
    """``text`` without what is code: blocks, spans, links, options, quoted names."""
    return re.sub(r"```.*?```|`[^`]*`|\]\([^)]*\)|<[^>]*>|--[\w-]+|(?<!\w)'[^'\n]*'", "", text, flags=re.S)


def _misspelt(text: str) -> list[str]:
    return [
        f"{found[0]}: write {instead}"
        for wrong, instead in SPELLING.items()
        for found in re.finditer(rf"\b(?:{wrong})\b", _prose(text), re.IGNORECASE)
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_use_one_spelling(page):
    assert _misspelt(page.read_text(encoding="utf-8")) == []


def test_messages_and_help_use_one_spelling():
    texts = [text for path in SOURCE.rglob("*.py") for _, text in _texts(path)]
    for command in COMMANDS:
        texts += [inspect.getdoc(command), *(info.help for _, info in options(command))]
    assert [(text, wrong) for text in texts if (wrong := _misspelt(text))] == []


def test_spelling_is_seen():
    assert len(_misspelt("a dataset in gray can't be normalized")) == 3
    assert _misspelt("`dataset`, --color 'gray': a data set in grey") == []
