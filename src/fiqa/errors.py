"""Errors a user can cause. Each message is one sentence: the value, what is allowed, what to do."""

from __future__ import annotations

import importlib

TYPE_CHECKING = False  # little is imported before the handler of signals
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import ModuleType


class FiqaError(Exception):
    """Base of every error that a caller can cause; the command line prints it as one line."""


class UsageError(FiqaError, ValueError):
    """An argument has a value that is not allowed."""


class UnknownName(UsageError):
    """A name (method, model, engine, data set …) is not known; the message suggests the nearest."""


class MissingExtra(FiqaError, ImportError):
    """An optional dependency is not installed; the message is the pip line that installs it."""


class DataError(FiqaError, ValueError):
    """A file or a data set is missing, damaged or not in the expected format."""


class CheckpointMismatch(DataError):
    """A checkpoint does not fit the network: first missing and unexpected keys, nearest layout."""


class ImageError(FiqaError):
    """One image can't be used. ``status`` is the value that its result row carries.

    ``status`` is one of ``"unreadable"``, ``"too_large"``, ``"missing"``, ``"no_face"`` or ``"failed"`` (time
    or memory ran out).
    """

    def __init__(self, status: str, message: str) -> None:
        super().__init__(message)
        self.status = status


def unknown(kind: str, name: str, known: Iterable[str]) -> UnknownName:
    """Build the error for an unknown ``name``, with the nearest of the ``known`` ones as a suggestion.

    >>> print(unknown("method", "vitt", ["vitnt", "attn"]))
    no method 'vitt'. Did you mean 'vitnt'? Known: attn, vitnt.
    """
    import difflib  # late: it brings re, and Ctrl-C in the first milliseconds finds no handler yet

    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return UnknownName(f"no {kind} {name!r}.{hint} Known: {', '.join(names) or 'none'}.")


def require(module: str, extra: str, purpose: str) -> ModuleType:
    """Import ``module``.

    Args:
        module: its full name.
        extra: the extra of this package that brings it.
        purpose: what needs it, for the error.

    Raises:
        MissingExtra: it is not installed; the message is the pip line.
        KeyboardInterrupt: the import was interrupted, which compiled modules report as an ImportError.
        FiqaError: it is installed, and something inside it is broken.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        if isinstance(error, ModuleNotFoundError) and error.name in _with_parents(module):
            raise MissingExtra(f"{purpose} needs {module}: pip install 'fiqa[{extra}]'") from error
        if any(isinstance(cause, KeyboardInterrupt) for cause in _causes(error)):
            raise KeyboardInterrupt from error
        raise FiqaError(f"{purpose} needs {module}, which is installed but broken: {error}") from error


def _with_parents(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[: n + 1]) for n in range(len(parts))]


def _causes(error: BaseException) -> Iterator[BaseException]:
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__ or current.__context__
