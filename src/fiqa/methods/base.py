"""The quality methods: pure NumPy on evidence, and the registry that names them.

A method spec is one text in Python, on the command line and in tables: ``name`` or ``name:option=value,…``,
such as ``vitnt:blocks=0-11,alpha=8,weighting=last,norm=final`` or ``attn:reduce=median``. ``parse`` reads it,
``resolve`` fills in what a model decides, ``needs`` names the evidence, ``score`` and ``patch_map`` do the
arithmetic in float32. Every score is higher = better.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import ClassVar

from .. import specs
from ..errors import UsageError, unknown
from ..evidence import Evidence
from ..types import FloatArray, ModelCard

METHODS: dict[str, type[Method]] = {}


@dataclass(frozen=True)
class Method:
    """Base of the methods; a frozen value whose ``str`` is its canonical spec."""

    name: ClassVar[str]
    summary: ClassVar[str]
    source: ClassVar[str]
    least_depth: ClassVar[int] = 1  # blocks without which it says nothing
    needs_exits: ClassVar[bool] = False  # whether it reads what a ViT-FIQA network regresses
    positional: ClassVar[str | None] = None  # the option that needs no name, as in exit:7

    def __init_subclass__(cls) -> None:
        other = METHODS.setdefault(cls.name, cls)
        if (other.__module__, other.__qualname__) != (cls.__module__, cls.__qualname__):
            raise UsageError(f"a method called {cls.name!r} is there already, from {other.__module__}")
        METHODS[cls.name] = cls  # the same class made again, as dataclass(slots=True) does

    def __str__(self) -> str:
        options = [
            f"{field.name}={specs.as_text(value)}"
            for field in fields(self)
            if (value := getattr(self, field.name)) is not None
        ]
        return self.name + (":" + ",".join(options) if options else "")

    def resolve(self, card: ModelCard) -> Method:
        """This method with every setting that depends on the model filled in.

        Raises:
            UsageError: the model can't give what the method reads.
        """
        raise NotImplementedError

    def limited(self, card: ModelCard, depth: int) -> Method:
        """The resolved method, reading the first ``depth`` blocks at most (for budgets)."""
        raise NotImplementedError

    def needs(self) -> tuple[str, ...]:
        """Names of the evidence that the resolved method reads."""
        raise NotImplementedError

    def score(self, evidence: Evidence) -> FloatArray:
        """(B,) float32, higher = better."""
        raise NotImplementedError

    def patch_map(self, evidence: Evidence) -> FloatArray | None:
        """(B, rows, columns) float32, higher = more useful; None for a method without a map."""
        return None


def parse(spec: str | Method, card: ModelCard | None = None) -> Method:
    """Read a method spec; with a ``card``, resolve it for that model, whose defaults fill what is left open.

    >>> str(parse("vitnt:blocks=0-2,8,alpha=4"))
    'vitnt:blocks=0-2,8,alpha=4,weighting=last,norm=final'
    >>> parse("exit:7").needs()
    ('exit/7',)

    Raises:
        UnknownName: no such method or option; the message suggests the nearest.
        UsageError: a value that is not allowed, or evidence that the model can't give.
    """
    if isinstance(spec, Method):
        return spec.resolve(card) if card else spec
    name, text = specs.split(spec)
    if name not in METHODS:
        raise unknown("method", name, METHODS)
    method = METHODS[name]
    default = specs.split(card.defaults.get(name, "") if card else "")[1]
    options = {**specs.read(name, method, default), **specs.read(name, method, text)}
    result = method(**options)
    return result.resolve(card) if card else result


def needs(methods: Sequence[Method]) -> tuple[str, ...]:
    """Names of the evidence that resolved methods read together, without repeats: one shared pass."""
    return tuple(dict.fromkeys(name for method in methods for name in method.needs()))
