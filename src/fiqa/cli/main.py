"""The command line. It only reads arguments and prints; what it does lives in the library."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from .. import __version__
from ..errors import FiqaError
from . import (
    best,
    cache,
    calibrate,
    datasets,
    evaluate,
    explain,
    many,
    models,
    page,
    process,
    score,
    select,
    serve,
    validate,
)
from .common import FAILED, INTERRUPTED, OK, WRONG_USE, say

# The one place where commands are registered, in the order of the help.
COMMANDS = (
    score.score,
    select.gate,
    select.sort,
    select.rank,
    select.sheet,
    best.best,
    explain.explain,
    explain.demo,
    serve.serve,
    page.page,
    models.methods,
    models.models,
    models.export,
    models.bench,
    cache.cache,
    evaluate.evaluate,
    calibrate.calibrate,
    validate.validate,
    datasets.datasets,
)

# what a full disk, a folder of someone else's or a name that can't be opened looks like
_CANT_WRITE = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EACCES, errno.EPERM, errno.EROFS),
    *(errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EBADF),
    *(errno.EEXIST, errno.EBUSY, errno.ETXTBSY, errno.ENXIO, errno.EMFILE, errno.ENFILE),
)


class _Commands(TyperGroup):
    """The commands; whatever a user can cause ends in one sentence and an exit code.

    Caught here, since typer itself would end a closed pipe with code 1 and Ctrl-C without a word.
    """

    def make_context(self, *args: Any, **settings: Any) -> Any:
        with _one_sentence():  # --help is printed here
            return super().make_context(*args, **settings)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, many.with_address(args))

    def invoke(self, ctx: Any) -> Any:
        with _one_sentence():
            return super().invoke(ctx)


@contextmanager
def _one_sentence() -> Iterator[None]:
    try:
        yield
        sys.stdout.flush()
    except FiqaError as error:
        say(str(error))
        raise typer.Exit(WRONG_USE) from error
    except BrokenPipeError as error:  # the reader, such as head, has seen enough
        _abandon_stdout()
        raise typer.Exit(OK) from error
    except OSError as error:
        if error.errno not in _CANT_WRITE:
            raise
        where = f" {error.filename!r}" if error.filename else ""
        say(f"can't write{where}: {error.strerror}; what was written before is kept")
        try:
            sys.stdout.flush()
        except OSError:
            _abandon_stdout()
        raise typer.Exit(FAILED) from error
    except (
        KeyboardInterrupt
    ) as error:  # where no handler of signals is installed: the commands called from Python
        say("stopped")
        raise typer.Exit(INTERRUPTED) from error


app = typer.Typer(
    name="fiqa",
    cls=_Commands,
    help="How useful is each face image for recognition?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"fiqa {__version__}")
        raise typer.Exit(OK)


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """How useful is each face image for recognition?"""


for command in COMMANDS:
    app.command()(command)


def main() -> None:
    """Run the command line and exit; :mod:`fiqa.__main__` is the entry point, since signals come first."""
    try:
        app(prog_name="fiqa")
    except SystemExit as end:
        process.over(end.code if isinstance(end.code, int) else OK)
        raise


def _abandon_stdout() -> None:
    """Let Python's own flush at its exit go nowhere, since it would complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
