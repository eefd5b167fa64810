"""Public names in → a package that imports them when first used, so that ``import fiqa`` is instant."""

from __future__ import annotations

import importlib

from .errors import require

TYPE_CHECKING = False  # typing itself would take longer to import than all of this
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any


def attach(
    package: str,
    homes: Mapping[str, Sequence[str]],
    eager: Sequence[str] = (),
    needs: Mapping[str, tuple[str, str]] | None = None,
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """``__getattr__``, ``__dir__`` and ``__all__`` of a package (PEP 562).

    A submodule is answered too, imported when first named; no submodule may have the name of a public
    function, since importing it would then hide the function.

    Args:
        package: its ``__name__``.
        homes: submodule → the public names that it defines.
        eager: public names that the package has anyway.
        needs: submodule → the module that it imports from outside, and the extra that brings it; naming
            something of that submodule without it is a MissingExtra, whose message is the pip line.
    """
    home = {name: module for module, names in homes.items() for name in names}

    def getattribute(name: str) -> Any:
        if name in home:
            if needs is not None and home[name] in needs:
                require(*needs[home[name]], name)
            return getattr(importlib.import_module(f"{package}.{home[name]}"), name)
        from importlib.util import find_spec

        if not name.startswith("_") and find_spec(f"{package}.{name}") is not None:
            return importlib.import_module(f"{package}.{name}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    public = sorted([*home, *eager])
    return getattribute, lambda: list(public), public
