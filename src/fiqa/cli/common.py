"""What several commands share: exit codes, the images they take, and how things are said."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ..scorer import Scorer

OK, WRONG_USE, SOME_NOT_SCORED, NOT_ACCEPTED, FAILED, INTERRUPTED = 0, 2, 3, 4, 1, 130

# typer reads this annotation at run time
Images = Annotated[
    list[str],
    typer.Argument(help="Images, folders, globs, @LIST, or - for a list on stdin."),
]


def say(message: str) -> None:
    print(f"fiqa: {printable(message)}", file=sys.stderr)


def printable(text: str) -> str:
    """Text for a terminal: control characters and undecodable bytes become escapes."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text
    )


def announce(scorer: Scorer, budget: str | None) -> None:
    notes = [f"{scorer.card.name} on {scorer.engine}"]
    if budget:
        notes.append("within the budget: " + ", ".join(scorer.used.values()))
    if scorer.scored_by is None:
        notes.append("no calibration for this model and method, so no 0–100 score (see 'fiqa calibrate')")
    print(f"fiqa: {'; '.join(notes)}", file=sys.stderr)
