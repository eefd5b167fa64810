"""Errors a user can cause. Each message is one sentence: the value, what is allowed, what to do."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable
from types import ModuleType


class FiqaError(Exception):
    """Base of every error that a caller can cause; the command line prints it as one line."""


class UsageError(FiqaError, ValueError):
    """An argument has a value that is not allowed."""


class UnknownName(UsageError):
    """A name (method, model, engine, dataset …) is not known; the message suggests the nearest."""


class MissingExtra(FiqaError, ImportError):
    """An optional dependency is not installed; the message is the pip line that installs it."""


class CheckpointMismatch(FiqaError):
    """A checkpoint does not fit the network: first missing and unexpected keys, nearest layout."""


class DataError(FiqaError, ValueError):
    """A file or a data set is missing, damaged or not in the expected format."""


class ImageError(FiqaError):
    """One image can't be used. ``status`` is the value that its result row carries.

    ``status`` is one of ``"unreadable"``, ``"too_large"``, ``"missing"`` or ``"no_face"``.
    """

    def __init__(self, status: str, message: str) -> None:
        super().__init__(message)
        self.status = status


def unknown(kind: str, name: str, known: Iterable[str]) -> UnknownName:
    """Build the error for an unknown ``name``, with the nearest of the ``known`` ones as a suggestion.

    >>> print(unknown("method", "vitt", ["vitnt", "attn"]))
    no method 'vitt'. Did you mean 'vitnt'? Known: attn, vitnt.
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return UnknownName(f"no {kind} {name!r}.{hint} Known: {', '.join(names) or 'none'}.")


def require(module: str, extra: str, purpose: str) -> ModuleType:
    """Import ``module``, or raise MissingExtra with the pip line of the ``extra`` that brings it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        if error.name is not None and not module.startswith(error.name.split(".")[0]):
            raise  # the module is there, and something inside it is broken: that is another error
        raise MissingExtra(f"{purpose} needs {module}: pip install 'fiqa[{extra}]'") from error
