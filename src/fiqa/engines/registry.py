"""An engine's name, precision and device in → its class out, or one sentence on what does not go together."""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeVar

from ..errors import UsageError, unknown
from .base import NamedEngine

ENGINES: dict[str, type[NamedEngine]] = {}
"""Every engine that can be chosen by name; :func:`register` adds one."""

Kind = TypeVar("Kind", bound=type[NamedEngine])


def register(kind: Kind) -> Kind:
    """Make an engine class known by its ``name``; to be used as a decorator.

    Raises:
        UsageError: another class has that name.
    """
    other = ENGINES.setdefault(kind.name, kind)
    if other is not kind:
        raise UsageError(f"an engine called {kind.name!r} is there already, from {other.__module__}")
    return kind


def choose(
    engine: str,
    *,
    sources: Collection[str] = ("graph", "network"),
    precision: str = "fp32",
    device: str = "auto",
) -> type[NamedEngine]:
    """The engine to use: the named one, or for ``auto`` the fastest that is installed and can do it.

    Args:
        engine: ``auto`` or a name in ``ENGINES``.
        sources: what there is of the model: an evidence ``graph``, a ``network``.
        precision: that it must run in.
        device: that it must run on.

    Raises:
        UnknownName: no such engine.
        UsageError: it has no such precision or device.
        MissingExtra: what it needs is not installed.
    """
    if engine != "auto":
        if engine not in ENGINES:
            raise unknown("engine", engine, ("auto", *ENGINES))
        ENGINES[engine].check(precision=precision, device=device)
        return ENGINES[engine]
    by_speed = sorted(ENGINES.values(), key=lambda kind: kind.rank)
    readers = [kind for kind in by_speed if kind.reads in sources]
    able = [kind for kind in readers if kind.is_installed()] or readers
    able = [kind for kind in able if precision in kind.precisions] or able
    if device not in ("auto", "cpu"):
        able = [kind for kind in able if device in kind.devices()] or able[-1:]  # whose refusal says most
    able[0].check(precision=precision, device=device)
    return able[0]
