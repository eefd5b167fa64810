"""Texts such as ``name:option=value,…`` in → names and checked values out.

Methods, rivals and data sets are named ``name:option=value,…``, recognisers ``FILE:option=value,…``. A value
goes on until the next ``option=``, so that lists (``blocks=0,4,8``) and paths may hold commas.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import MISSING, field, fields
from typing import Any, TypeVar

from .errors import UsageError, unknown

T = TypeVar("T")
_DEEPEST = 9999  # a range beyond it would fill the memory before a model could refuse it
_OPTION = re.compile(r"\s*([A-Za-z][A-Za-z0-9_-]*)\s*=(.*)", re.DOTALL)


def option(default: Any = MISSING, *, read: Callable[[str], Any] = str, expects: str = "text") -> Any:
    """A dataclass field that a spec can set.

    Args:
        default: the value where the spec does not say; left out for one that the model decides.
        read: from the text after ``=`` to the value; ValueError if it can't be one.
        expects: what the text must be, for the error: ``"a number"``.
    """
    return field(default=default, metadata={"read": read, "expects": expects})


def one_of(default: str, allowed: Sequence[str]) -> Any:
    """A dataclass field that a spec can set to one of the ``allowed`` words."""

    def read(text: str) -> str:
        if text not in allowed:
            raise ValueError(text)
        return text

    return option(default, read=read, expects=f"one of {', '.join(allowed)}")


def split(text: str) -> tuple[str, str]:
    """(name, options) of ``name:options``; options are empty where there are none.

    >>> split("attn:reduce=median")
    ('attn', 'reduce=median')
    """
    name, _, options = text.strip().partition(":")
    return name, options


def split_file(text: str) -> tuple[str, str]:
    """(file, options) of ``FILE:option=value,…``, where the file's own name may hold colons.

    >>> split_file("C:/nets/r100.onnx:flip=yes"), split_file("C:/nets/r100.onnx")
    (('C:/nets/r100.onnx', 'flip=yes'), ('C:/nets/r100.onnx', ''))
    """
    match = re.fullmatch(r"(.+?):([a-z_]+=.*)", text, re.DOTALL)
    return (match[1], match[2]) if match else (text, "")


def split_place(text: str) -> tuple[str, str, str]:
    """(kind, name, path) of ``KIND=PATH`` or ``KIND:NAME=PATH``; the name is empty where there is none.

    >>> split_place("lfw=faces/lfw"), split_place("folder:my own=C:/faces,2=b")
    (('lfw', '', 'faces/lfw'), ('folder', 'my own', 'C:/faces,2=b'))

    Raises:
        UsageError: a text of another form.
    """
    head, equals, path = text.partition("=")
    kind, _, name = head.partition(":")
    if not equals or not kind.strip() or not path:
        raise UsageError(f"a data set must be KIND=PATH or KIND:NAME=PATH, but got {text!r}")
    return kind.strip(), name, path


def pairs(
    owner: str, text: str, known: Iterable[str] | None, *, positional: str | None = None
) -> dict[str, str]:
    """Option → its text, for ``option=value,…``.

    Args:
        owner: whose options these are, for the errors.
        text: what follows the colon; may be empty.
        known: the options that there are; None: somebody else will judge them.
        positional: the option that a value without ``option=`` at the beginning belongs to, as in ``exit:7``.

    Raises:
        UnknownName: an option that is not ``known``.
        UsageError: a text without ``=`` where no option has begun, or an option without a value.
    """
    found: dict[str, str] = {}
    key = positional or ""
    for part in text.split(",") if text else ():
        match = _OPTION.fullmatch(part)
        if match is not None:
            key = match[1]
            if key in found:
                raise UsageError(f"option {key} of {owner} must be given once, but got {text!r}")
            found[key] = match[2].strip()
        elif not key:
            raise UsageError(f"options of {owner} must be option=value, but got {part!r}")
        else:
            found[key] = f"{found[key]},{part.strip()}" if key in found else part.strip()
    names = None if known is None else list(known)
    for name, value in found.items():
        if names is not None and name not in names:
            raise unknown(f"option of {owner}", name, names)
        if not value:
            raise UsageError(f"option {name} of {owner} must have a value, but got {text!r}")
    return found


def read(owner: str, kind: type, text: str) -> dict[str, Any]:
    """Options of ``text`` as values, read as the fields of the dataclass ``kind`` say (see :func:`option`).

    ``kind.positional`` names the option that a bare value belongs to.

    Raises:
        UnknownName, UsageError: one sentence on the option that does not fit.
    """
    known = {f.name: f for f in fields(kind)}
    values = {}
    for name, value in pairs(owner, text, known, positional=getattr(kind, "positional", None)).items():
        how = known[name].metadata
        try:
            found = how.get("read", str)(value)
            if found is not None:  # None: the model decides, as if the option were not there
                values[name] = found
        except ValueError:
            expects = how.get("expects", "text")
            raise UsageError(f"{name} of {owner} must be {expects}, but got {value!r}") from None
    return values


def make(owner: str, kind: type[T], text: str) -> T:
    """The dataclass ``kind`` with the options of ``text``; see :func:`read`.

    Raises:
        UnknownName, UsageError: one sentence on the option that does not fit, or lacks.
    """
    values = read(owner, kind, text)
    for one in fields(kind):  # type: ignore[arg-type]
        if one.name not in values and one.default is one.default_factory is MISSING:
            expects = one.metadata.get("expects", "text")
            raise UsageError(f"{owner} needs {one.name}, {expects}: write '{owner}:{one.name}=…'")
    return kind(**values)


def ranges(text: str) -> tuple[int, ...]:
    """Whole numbers from ``0-2,8``; ValueError for anything else.

    >>> ranges("0-2,8")
    (0, 1, 2, 8)
    """
    numbers: list[int] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if max(whole(first), whole(last) if dash else 0) > _DEEPEST:
            raise ValueError(f"{part} is beyond any network")
        if dash and whole(last) < whole(first):
            raise ValueError(f"{part} runs backwards")
        numbers += range(whole(first), whole(last) + 1) if dash else [whole(first)]
    return tuple(numbers)


def whole(text: str) -> int:
    """A whole number in plain digits; ValueError for what else ``int`` would take, such as 1_0."""
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", text.strip()):
        raise ValueError(f"{text!r} is no whole number")
    return int(text)


def number(text: str) -> float:
    """A finite number in plain digits; ValueError for what else ``float`` would take, such as 1_0 or nan."""
    plain = re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?", text.strip())
    if plain is None or len(text) > 64 or not math.isfinite(float(text)):
        raise ValueError(f"{text!r} is no number")
    return float(text)


def as_text(value: Any) -> str:
    """The shortest text that reads back as the same value.

    >>> as_text(8.0), as_text((0, 1, 2, 8))
    ('8', '0-2,8')
    """
    if not isinstance(value, tuple):
        return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)
    runs: list[list[int]] = []
    for item in value:
        if runs and item == runs[-1][-1] + 1:
            runs[-1].append(item)
        else:
            runs.append([item])
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def choice(name: str, value: str, allowed: Sequence[str]) -> None:
    """UsageError unless ``value`` is one of the ``allowed``."""
    if value not in allowed:
        raise UsageError(f"{name} must be one of {', '.join(allowed)}, but got {value!r}")
