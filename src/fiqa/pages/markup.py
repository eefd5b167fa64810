"""Values in → HTML in which they are text: what is not :class:`Html` is escaped by itself."""

from __future__ import annotations

import html
import re
import string
from collections.abc import Iterable
from typing import Any

__all__ = ["Html", "join", "render"]

_SURROGATES = re.compile("[\ud800-\udfff]")  # what Python makes of bytes that are no text, and UTF-8 lacks


class Html(str):
    """Text that is HTML (or SVG) already. Adding to it or formatting it gives a str again, which is escaped.

    >>> render("<p>{}</p>", Html("<b>bold</b>") + " & <more>")
    '<p>&lt;b&gt;bold&lt;/b&gt; &amp; &lt;more&gt;</p>'
    """

    __slots__ = ()


def render(template: str, *values: object, **named: object) -> Html:
    """A template filled as by ``str.format``, each value escaped unless it is :class:`Html`.

    Args:
        template: HTML with ``{}`` where values go, a format after a colon if need be; always a literal of the
            program, never an f-string (a test reads them all).
        values: for ``{}``.
        named: for ``{name}``.

    >>> render('<p title="{}">{:.1f} {}</p>', 'a "b"', 0.25, Html("<br>"))
    '<p title="a &quot;b&quot;">0.2 <br></p>'
    """
    return Html(_Escaping().vformat(template, values, named))


def join(parts: Iterable[object]) -> Html:
    """All parts one after another, each escaped unless it is :class:`Html`."""
    return Html("".join(map(_escaped, parts)))


class _Escaping(string.Formatter):
    def format_field(self, value: Any, format_spec: str) -> str:
        return _escaped(format(value, format_spec) if format_spec else value)


def _escaped(value: object) -> str:
    if isinstance(value, Html):
        return value
    return html.escape(_SURROGATES.sub("\ufffd", str(value)))
