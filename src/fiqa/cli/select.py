"""``fiqa gate``, ``sort``, ``rank`` and ``sheet``: images or a result table in → the good ones out."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from ..errors import UsageError
from . import process
from .common import FAILED, NOT_ACCEPTED, SOME_NOT_SCORED, Images, announce, printable, say
from .progress import Watch
from .scorer_options import Given, make_scorer, scorer_options
from .tables import print_rows

if TYPE_CHECKING:
    from ..calibration import Gate
    from ..pipeline.placement import How
    from ..pipeline.selection import Ranked, Sorting
    from ..pipeline.tables import ResultTable
    from ..types import Quality

Table = Annotated[
    Path, typer.Argument(help="What 'fiqa score -o' wrote: .csv, .jsonl, .parquet or a folder.")
]
_RULE = "60, fnmr=1% or discard=10%; see 'fiqa models --gates'."
Rule = Annotated[str, typer.Option("--at", metavar="RULE", help=_RULE)]
Root = Annotated[Path, typer.Option(help="Where the table's relative paths begin.")]
_SHOWN = 5  # of what a dry run would do, and of what went wrong


@scorer_options(
    "method", "model", "align", "all_faces", "engine", "threads",
    "heads", "landmarks", "detector", "rotate", "profile", "no_cache",
)  # fmt: skip
def gate(
    images: Images,
    at: Rule,
    *,
    given: Given,
    refuse_reasons: Annotated[
        bool,
        typer.Option("--refuse-reasons", help="Also refuse for a reason; light and contrast are none."),
    ] = False,
) -> None:
    """Say of each face whether it is good enough, a line each: verdict, score, path, face and reason.

    Exit code 0: all faces pass; 4: one does not, or has no score; 2: wrong use.
    """
    from ..pipeline import gate_of, manifest_of
    from ..pipeline.feed import Feed
    from ..pipeline.station import open_all

    if process.stdout_is_closed():
        raise UsageError("standard output is closed: open it, or read the exit code with > /dev/null")
    found = manifest_of(images)
    scorer = make_scorer(given, reasons=True)
    announce(scorer, None)
    rule = gate_of(scorer, at)
    say(f"gate: {rule}")
    open_all(scorer, found, 8)
    passes = True
    with Watch(most=0) as watch:
        results = scorer.stream(Feed.of(scorer, found.items()), all_faces=given["all_faces"], keep=())
        for quality in watch.each(results, found.contents.n_images):
            fault = _fault(quality, rule, refuse_reasons=refuse_reasons)
            passes &= fault is None
            print(_verdict(quality, fault), flush=True)
    if not passes:
        raise typer.Exit(NOT_ACCEPTED)


def _fault(quality: Quality, rule: Gate, *, refuse_reasons: bool) -> str | None:
    """Why a face does not pass; None if it does."""
    from ..reasons import Policy

    if not quality.ok:
        return quality.reason
    if not rule.accepts(quality):
        return ": ".join([f"below {rule.score:.2f}", *(reason.advice for reason in quality.reasons[:1])])
    refused = Policy().refused(quality.reasons) if refuse_reasons else ()
    return f"{refused[0].code}: {refused[0].advice}" if refused else None


def _verdict(quality: Quality, fault: str | None) -> str:
    """A line: aligned and coloured on a terminal, with tabs between its fields into a pipe."""
    passes = fault is None
    verdict = "accepted" if passes else "rejected"
    score = "" if quality.score is None else f"{quality.score:.2f}"
    path = printable(quality.path or "")
    why = printable(quality.reason if fault is None else fault)
    if not sys.stdout.isatty():
        return "\t".join((verdict, score, path, str(quality.face_index) if quality.ok else "", why))
    face = f" (face {quality.face_index})" if quality.face_index else ""
    colour = typer.colors.GREEN if passes else typer.colors.RED
    shown = verdict if "NO_COLOR" in os.environ else typer.style(verdict, fg=colour)
    return f"{shown}  {score:>6}  {path}{face}{'  ' if why else ''}{why}"


def sort(
    table: Table,
    at: Annotated[str | None, typer.Option("--at", metavar="RULE", help=_RULE)] = None,
    accepted: Annotated[Path | None, typer.Option(help="Folder for the photographs that pass.")] = None,
    rejected: Annotated[Path | None, typer.Option(help="Folder for those that don't.")] = None,
    link: Annotated[bool, typer.Option("--link", help="Make symbolic links.")] = False,
    copy: Annotated[bool, typer.Option("--copy", help="Make copies.")] = False,
    move: Annotated[bool, typer.Option("--move", help="Move the files.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Take this table's sort back.")] = False,
    root: Root = Path(),
) -> None:
    """Sort the photographs of a table by a gate: says what it would do; --link, --copy or --move do it.

    Nothing is overwritten. TABLE.sort.jsonl records what is done: the same command goes on after a kill,
    --undo takes it back. Exit code 0: all are sorted; 3: some are missing, or failed to be scored.
    """
    from ..pipeline import ResultTable, Sorting

    ways = [name for name, given in (("link", link), ("copy", copy), ("move", move), ("undo", undo)) if given]
    if len(ways) > 1:
        raise UsageError(
            f"one of --link, --copy, --move and --undo at a time, but got --{' and --'.join(ways)}"
        )
    opened = ResultTable(table)
    if undo:
        _undo(opened)
        return
    if at is None or accepted is None or rejected is None:
        raise UsageError("sort needs --at RULE, --accepted DIR and --rejected DIR, or --undo alone")
    sorting = Sorting(table=opened, gate=opened.gate(at), accepted=accepted, rejected=rejected, root=root)
    say(f"gate: {sorting.gate}")
    if not ways:
        _foretell(sorting)
        return
    _sort(sorting, cast("How", ways[0]))


def _foretell(sorting: Sorting) -> None:
    fates, shown, base = Counter[str](), Counter[str](), sorting.base()
    for file, fate in sorting.fates():
        fates[fate] += 1
        if fate in ("accepted", "rejected") and shown[fate] < _SHOWN:
            shown[fate] += 1
            print(f"{fate}: {printable(str(file))} → {printable(str(sorting.target(file, fate, base)))}")
    print(f"{_counted(fates)}; nothing is done yet: add --link, --copy or --move")


def _sort(sorting: Sorting, how: How) -> None:
    from ..pipeline import sort_files

    with process.advice("the same command goes on, --undo takes back what is done"), _counter() as count:
        done = sort_files(sorting, how, progress=lambda file, fate: count())
    before = f" ({done.n_before} of them before)" if done.n_before else ""
    print(f"{_counted(done.fates)}{before}; --undo takes it back")
    if done.fates["missing"] or done.fates["failed"]:
        raise typer.Exit(SOME_NOT_SCORED)


def _counted(fates: Counter[str]) -> str:
    said = f"{fates['accepted']:,} accepted, {fates['rejected']:,} rejected"
    if fates["missing"]:
        said += f", {fates['missing']:,} not there (see --root)"
    if fates["failed"]:
        said += f", {fates['failed']:,} not sorted since scoring failed (see fiqa score --resume)"
    return said


def _undo(table: ResultTable) -> None:
    from ..pipeline import undo_sort

    n_done, problems = 0, 0
    with process.advice("--undo goes on"), _counter() as count:
        for placement, problem in undo_sort(table):
            n_done += not problem
            problems += bool(problem)
            if problem and problems <= _SHOWN:
                say(f"{str(placement.target)!r} {problem}")
            count()
    print(f"{n_done:,} files are back" + (f", {problems:,} are not: the journal is kept" if problems else ""))
    if problems:
        raise typer.Exit(FAILED)


def rank(
    table: Table,
    by: Annotated[str, typer.Option(metavar="folder|COLUMN", help="What makes a group.")] = "folder",
    top: Annotated[int, typer.Option(min=1, help="How many of each group.")] = 3,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to .csv, .jsonl or .parquet.")
    ] = None,
    copy: Annotated[Path | None, typer.Option(metavar="DIR", help="Copy them to DIR/GROUP.")] = None,
    root: Root = Path(),
) -> None:
    """The best photographs of each person: a table on a terminal, CSV into a pipe, a file, or copies.

    Exit code 0: every group has one; 3: some have none, or a photograph to copy is missing; 2: wrong use.
    """
    from ..pipeline import ResultTable
    from ..pipeline import rank as ranked
    from ..pipeline.selection import copy_ranked, write_ranked

    opened = ResultTable(table)
    found, empty = ranked(opened, by=by, top=top)
    missing: list[str] = []
    if output is not None:
        write_ranked(found, opened, output)
    if copy is not None:
        n_there, missing = copy_ranked(found, copy, root=root)
        say(f"{n_there} photographs of {len({one.group for one in found})} groups are in {str(copy)!r}")
    if output is None and copy is None:
        _print_ranked(found, opened)
    for group in empty[:_SHOWN]:
        say(f"group {group!r} has no photograph with a score")
    for path in missing[:_SHOWN]:
        say(f"{path!r} is not there (see --root)")
    if empty or missing:
        more = max(0, len(empty) - _SHOWN) + max(0, len(missing) - _SHOWN)
        if more:
            say(f"and {more} more")
        raise typer.Exit(SOME_NOT_SCORED)


def _print_ranked(found: list[Ranked], table: ResultTable) -> None:
    from ..pipeline.selection import ranked_rows
    from ..pipeline.sinks import CsvSink

    headers, rows = ranked_rows(found, table)
    if sys.stdout.isatty():
        print_rows([header.name for header in headers], rows)
        return
    sys.stdout.reconfigure(errors="surrogateescape", newline="")  # type: ignore[union-attr]
    sink = CsvSink(sys.stdout, headers)
    for values in rows:
        sink.write(values)


def sheet(
    table: Table,
    output: Annotated[Path, typer.Option("--output", "-o", help="The page, such as sheet.html.")],
    at: Annotated[str | None, typer.Option("--at", metavar="RULE", help=_RULE)] = None,
    faces: Annotated[
        int, typer.Option(min=0, help="How many of the worst and of the best faces to show.")
    ] = 24,
    root: Root = Path(),
) -> None:
    """One page about a table: histogram and gates, worst and best faces, counts by status, reason and folder.

    The page needs nothing else, and holds the faces that it shows: whoever has it sees them.
    """
    from ..pages.contact_sheet import write_sheet

    print(write_sheet(table, output, gate=at, most=faces, root=root))


@contextmanager
def _counter() -> Iterator[Callable[[], None]]:
    """Counts files on a terminal's stderr while they are done."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn

    columns = (SpinnerColumn(), TextColumn("{task.completed:.0f} files"))
    with Progress(
        *columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()
    ) as bar:
        task = bar.add_task("", total=None)
        yield lambda: bar.advance(task)
