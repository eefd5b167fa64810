"""Escaping can't be forgotten: what is not Html is escaped, and only literals of the program become Html."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

import fiqa
from fiqa.pages.charts import Box, Dots, Mark, box_plot, count_chart, dot_chart, histogram
from fiqa.pages.curves import Line, line_chart
from fiqa.pages.markup import Html, join, render
from fiqa.pages.page import Cell, chart_grid, legend, notes, page, table

SOURCE = Path(fiqa.__file__).parent
HOSTILE = "<script>alert('x')</script>&\"quoted\""
ESCAPED = "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;&amp;&quot;quoted&quot;"


def test_a_value_is_text_unless_it_is_html():
    assert render("<p>{}{}</p>", HOSTILE, Html("<br>")) == f"<p>{ESCAPED}<br></p>"
    assert render("{name:>4} {0:.1%}", 0.5, name="<a") == "  &lt;a 50.0%"
    assert join([HOSTILE, Html("<br>"), 3]) == f"{ESCAPED}<br>3"
    assert isinstance(render("<br>"), Html)
    assert isinstance(join([]), Html)


def test_html_that_was_put_together_otherwise_is_text_again():
    bold = Html("<b>x</b>")
    for mixed in (bold + HOSTILE, f"{bold}{HOSTILE}", "".join([bold, HOSTILE]), "%s%s" % (bold, HOSTILE)):  # noqa: UP031
        assert "<" not in render("{}", mixed)
    assert "<" not in render("{:<20}", bold)  # formatted, hence a text


def test_bytes_that_are_no_text_can_be_written():
    assert render("{}", "caf\udce9") == "caf\ufffd"
    render("{}", "\ud800\udfff").encode()


LEVELS = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
MARK = Mark(label=HOSTILE, place=0, style=0)
LINE = Line(name=HOSTILE, style=0, x=LEVELS, y=LEVELS)


@pytest.mark.parametrize(
    "made",
    [
        page(HOSTILE, [HOSTILE]),
        table(HOSTILE, [HOSTILE, Cell(HOSTILE)], [(HOSTILE, [HOSTILE, HOSTILE, Cell(HOSTILE, HOSTILE)])]),
        chart_grid([(HOSTILE, HOSTILE)]),
        legend([(HOSTILE, 0)]),
        notes([HOSTILE]),
        line_chart(HOSTILE, HOSTILE, HOSTILE, [LINE], (HOSTILE, HOSTILE), 1.0),
        count_chart(HOSTILE, HOSTILE, HOSTILE, [0, 1], [1], (HOSTILE, HOSTILE), [MARK]),
        histogram(HOSTILE, HOSTILE, HOSTILE, [0, 1], [(HOSTILE, 0, [1])], HOSTILE),
        dot_chart(
            *(HOSTILE, HOSTILE, HOSTILE, [HOSTILE]),
            [Dots(name=HOSTILE, style=0, values=[0])],
            *(HOSTILE, (-1, 1)),
        ),
        box_plot(HOSTILE, HOSTILE, HOSTILE, [Box(HOSTILE, LEVELS)], (HOSTILE, HOSTILE)),
    ],
)
def test_no_part_of_a_page_lets_markup_through(made):
    assert ESCAPED in made
    assert "<script" not in made


def test_a_cell_that_looks_like_one_is_a_text():
    assert "<td>&lt;td&gt;</td>" in table("", ["a", "b"], [("", ["x", "<td>"])])


def test_only_literals_become_html():
    """An f-string as a template would put values into it unescaped."""
    found = 0
    for path in SOURCE.rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if _called(call) in ("Html", "render") and path.name != "markup.py":
                template = call.args[0] if call.args else ast.Constant("")
                is_style = "style.css" in ast.unparse(template)
                assert isinstance(template, ast.Constant) or is_style, f"{path.name}:{call.lineno}"
                found += 1
    assert found > 20


def _called(node: ast.AST) -> str:
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
