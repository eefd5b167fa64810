"""Named things of one kind, ours and those of other packages, which are found by their entry points.

Another package names its things under a group, such as::

    [project.entry-points."fiqa.methods"]
    spread = "their_package:Spread"
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping
from importlib import metadata
from typing import Generic, Protocol, TypeVar

from .errors import DataError, UsageError, unknown


class Named(Protocol):
    """Whatever a registry holds: a class or an object with the name that users write."""

    @property
    def name(self) -> str: ...


T = TypeVar("T", bound=Named)


class Registry(Mapping[str, T], Generic[T]):
    """name → thing; entry points of other packages are loaded when a name is not ours, or all are listed.

    Attributes:
        kind: what one thing is called in sentences, such as ``"method"``.
        group: the entry points' group, such as ``"fiqa.methods"``.
        base: what a thing must be one of, or a class below.
        taken: names that are written in the same place and mean something else.
        broken: entry point → one sentence on why it can't be used, as far as they have been loaded.
    """

    def __init__(self, kind: str, group: str, base: type = object, *, taken: Collection[str] = ()) -> None:
        self.kind, self.group, self.base, self.taken = kind, group, base, taken
        self.broken: dict[str, str] = {}
        self._things: dict[str, T] = {}
        self._loaded = False
        self._lock = threading.RLock()  # loading a guest registers it

    def register(self, thing: T) -> T:
        """Add ``thing`` under its ``name`` and return it, so that it serves as a decorator.

        Raises:
            UsageError: another thing has that name, or it is not of this kind.
        """
        if not (issubclass(thing, self.base) if isinstance(thing, type) else isinstance(thing, self.base)):
            raise UsageError(f"{_place(thing)} must be a {_place(self.base)}, as every {self.kind} is")
        self.check_name(thing)
        with self._lock:
            other = self._things.get(thing.name)
            again = other is thing or (isinstance(thing, type) and _place(other) == _place(thing))
            if other is not None and not again:
                raise UsageError(
                    f"the {self.kind} {thing.name!r} of {_place(thing)} must have a name of its own, "
                    f"but {_place(other)} has it"
                )
            self._things[thing.name] = thing  # the same one made again, as dataclass(slots=True) does
        return thing

    def check_name(self, thing: T) -> None:
        """UsageError if ``thing`` is called like something of another kind that users write in its place."""
        if thing.name in self.taken:
            raise UsageError(
                f"the {self.kind} {thing.name!r} of {_place(thing)} must have a name of its own, "
                f"but {thing.name!r} is one of {', '.join(self.taken)}"
            )

    def find(self, name: str) -> T:
        """The thing called ``name``.

        Raises:
            UnknownName: there is none; the message suggests the nearest.
            DataError: it is of another package, and can't be loaded.
        """
        if name not in self:
            if name in self.broken:
                raise DataError(self.broken[name])
            raise unknown(self.kind, name, self)
        return self._things[name]

    def __getitem__(self, name: str) -> T:
        if name not in self._things:
            self._load()
        return self._things[name]

    def __iter__(self) -> Iterator[str]:
        self._load()
        return iter(dict(self._things))

    def __len__(self) -> int:
        self._load()
        return len(self._things)

    def __contains__(self, name: object) -> bool:
        if name not in self._things:
            self._load()
        return name in self._things

    def _load(self) -> None:
        with self._lock:
            if self._loaded:
                return
            self._loaded = True
            for point in metadata.entry_points(group=self.group):
                try:
                    self.register(point.load())
                except Exception as error:  # a guest may fail in any way, and must not take the house down
                    package = f" of {point.dist.name}" if point.dist is not None else ""
                    why = str(error) or type(error).__name__
                    self.broken[point.name] = (
                        f"the {self.kind} {point.name!r}{package} can't be loaded: {why}"
                    )


def _place(thing: object) -> str:
    kind = thing if isinstance(thing, type) else type(thing)
    return f"{kind.__module__}.{kind.__qualname__}"
