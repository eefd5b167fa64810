"""An engine's name, precision and device in → its class out, or one sentence on what does not go together."""

from __future__ import annotations

from collections.abc import Collection

from ..registry import Registry
from .base import NamedEngine

ENGINES: Registry[type[NamedEngine]] = Registry("engine", "fiqa.engines", NamedEngine)


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
        kind = ENGINES.find(engine)
        kind.check(precision=precision, device=device)
        return kind
    by_speed = sorted(ENGINES.values(), key=lambda kind: kind.rank)
    readers = [kind for kind in by_speed if kind.reads in sources]
    able = [kind for kind in readers if kind.is_installed()] or readers
    able = [kind for kind in able if precision in kind.precisions] or able
    if device not in ("auto", "cpu"):
        able = [kind for kind in able if device in kind.devices()] or able[-1:]  # whose refusal says most
    able[0].check(precision=precision, device=device)
    return able[0]
