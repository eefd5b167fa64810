"""The quality methods: pure NumPy on evidence, and the registry that names them.

A method spec is one text in Python, on the command line and in tables: ``name`` or ``name:option=value,…``,
such as ``vitnt:blocks=0-11,alpha=8,weighting=last,norm=final`` or ``attn:reduce=median``. ``parse`` reads it
into a ``Spec``, ``resolve`` fills in what a model decides and gives a ``Method``, whose ``needs`` names the
evidence and whose ``score`` and ``patch_map`` do the arithmetic in float32. Every score is higher = better.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, overload

from .. import evidence as names
from .. import specs
from ..errors import UsageError
from ..evidence import Evidence, Name
from ..measures import CROP_MEASURES
from ..registry import Registry
from ..types import FloatArray, ModelCard


@dataclass(frozen=True, kw_only=True)
class Method:
    """Base of the methods: a frozen value that knows all it needs; its ``str`` is its canonical spec.

    A method of one's own is a subclass, decorated with ``@METHODS.register``, whose fields are its options
    (:func:`fiqa.specs.option`) and which gives at least :meth:`needs` and :meth:`score`.
    """

    name: ClassVar[str]
    summary: ClassVar[str] = ""
    source: ClassVar[str] = ""
    least_depth: ClassVar[int] = 1  # blocks without which it says nothing
    needs_exits: ClassVar[bool] = False  # whether it reads what a ViT-FIQA network regresses
    positional: ClassVar[str | None] = None  # the option that needs no name, as in exit:7

    def __str__(self) -> str:
        return _canonical(type(self), {f.name: getattr(self, f.name) for f in fields(self)})

    @classmethod
    def fill(cls, options: Mapping[str, Any], card: ModelCard) -> Mapping[str, Any]:
        """``options`` with those that depend on the model filled in where they are not given."""
        return options

    def check(self, card: ModelCard) -> None:
        """Raise UsageError if the model can't give what the method reads."""
        if self.needs_exits and not card.exits:
            raise UsageError(
                f"{self.name} reads a regressed quality, which {card.name} does not have; "
                "use vitnt or attn, or a ViT-FIQA model"
            )
        names.read_names(self.needs(), card.depth)

    def limited(self, card: ModelCard, depth: int) -> Method:
        """The method, reading the first ``depth`` blocks at most (for budgets).

        Raises:
            UsageError: it has no such form.
        """
        if max((Name(text).last_block(card.depth) for text in self.needs()), default=-1) >= depth:
            raise UsageError(f"{self} reads more than {depth} blocks and has no shallower form")
        return self

    def needs(self) -> tuple[str, ...]:
        """Names of the evidence that the method reads, or their texts."""
        raise NotImplementedError

    def score(self, evidence: Evidence) -> FloatArray:
        """(B,) float32, higher = better."""
        raise NotImplementedError

    def patch_map(self, evidence: Evidence) -> FloatArray | None:
        """(B, rows, columns) float32, higher = more useful; None for a method without a map."""
        return None

    @property
    def map_note(self) -> str:
        """What the patch map shows and how it becomes the score, in one line for people."""
        return "brighter counts more"


METHODS: Registry[type[Method]] = Registry("method", "fiqa.methods", Method, taken=CROP_MEASURES)


@dataclass(frozen=True, slots=True)
class Spec:
    """A method as it was written, before a model fills in what depends on it.

    Attributes:
        method: its class.
        options: those that were given, as values.
    """

    method: type[Method]
    options: Mapping[str, Any]

    def __str__(self) -> str:
        return _canonical(self.method, self.options)

    def resolve(self, card: ModelCard) -> Method:
        """The method for a model, whose card's defaults come before the method's own.

        Raises:
            UsageError: a value that is not allowed, or evidence that the model can't give.
        """
        default = specs.split(card.defaults.get(self.method.name, ""))[1]
        options = {**specs.read(self.method.name, self.method, default), **self.options}
        method = self.method(**self.method.fill(options, card))
        method.check(card)
        return method


def _canonical(method: type[Method], options: Mapping[str, Any]) -> str:
    given = [field.name for field in fields(method) if field.name in options]
    if given == [method.positional]:
        return f"{method.name}:{specs.as_text(options[given[0]])}"
    text = ",".join(f"{name}={specs.as_text(options[name])}" for name in given)
    return method.name + (f":{text}" if text else "")


@overload
def parse(spec: str) -> Spec: ...
@overload
def parse(spec: str | Method, card: ModelCard) -> Method: ...
def parse(spec: str | Method, card: ModelCard | None = None) -> Spec | Method:
    """Read a method spec; with a ``card``, resolve it for that model. A method object is checked against it.

    >>> str(parse("vitnt:blocks=0-2,8,alpha=4"))
    'vitnt:blocks=0-2,8,alpha=4'
    >>> parse("exit", ModelCard("net", depth=7, grid=(2, 2), exits=True)).needs()
    ('exit/7',)

    Raises:
        UnknownName: no such method or option; the message suggests the nearest.
        UsageError: a value that is not allowed, or evidence that the model can't give.
    """
    if isinstance(spec, Method):
        assert card is not None
        spec.check(card)
        return spec
    name, text = specs.split(spec)
    method = METHODS.find(name)
    found = Spec(method, specs.read(name, method, text))
    return found.resolve(card) if card is not None else found


def needs(methods: Sequence[Method]) -> tuple[Name, ...]:
    """Names of the evidence that resolved methods read together, without repeats: one shared pass."""
    return tuple(dict.fromkeys(Name(text) for method in methods for text in method.needs()))
