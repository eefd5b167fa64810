"""``fiqa score``: images in → a table on a terminal, CSV into a pipe, or a file."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import UsageError
from . import process
from .common import SOME_NOT_SCORED, Images, announce, say
from .many import Many
from .progress import Watch
from .scorer_options import OPTIONS, Given, make_scorer, scorer_options
from .tables import print_table

if TYPE_CHECKING:
    from ..calibration import Gate
    from ..pipeline.feed import Feed
    from ..pipeline.manifest import Manifest
    from ..pipeline.rows import Header
    from ..scorer import Scorer
    from ..types import Quality


@scorer_options(*OPTIONS)
def score(
    images: Images,
    *,
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", metavar="PATH", help="Write to .csv, .jsonl, .parquet, or a folder of parts."
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an unfinished --output.")] = False,
    save_crops: Annotated[
        Path | None, typer.Option("--save-crops", help="Folder for the aligned crop of every scored face.")
    ] = None,
    path_column: Annotated[
        str, typer.Option(metavar="NAME", help="Column of a .csv or .parquet list that names the images.")
    ] = "path",
    gate: Annotated[
        str | None,
        typer.Option(metavar="RULE", help="60, fnmr=1% or discard=10%: adds the column 'accepted'."),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that fill a folder of parts.")] = 1,
    shard: Annotated[
        str | None, typer.Option(metavar="K/N", help="Only every N-th part from K, for batch systems.")
    ] = None,
    shard_size: Annotated[
        int, typer.Option(min=1, metavar="IMAGES", help="Images in a part; a tar is a part of its own.")
    ] = 50_000,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS", help="Fill a folder of parts on Ray: local, auto or ray://HOST:PORT."
        ),
    ] = None,
    ray_resources: Annotated[
        str | None, typer.Option(metavar="CPU=N,…", help="What a process on Ray needs.", show_default="CPU=1")
    ] = None,
    given: Given,
) -> None:
    """Score face images: a table on a terminal, CSV into a pipe, or a file with -o.

    Exit code 0: every input was scored; 3: some were not (each has its row and status); 2: wrong use.
    """
    from ..pipeline import gate_of, manifest_of

    if output is None:
        _check_stdout(resume, save_crops)
    many = Many.read(output, workers=workers, shard=shard, ray=ray, ray_resources=ray_resources)
    found = manifest_of(images, path_column=path_column, shard_size=shard_size)
    make = partial(make_scorer, given | {"threads": many.threads(given["threads"])})
    scorer = make()
    announce(scorer, given["budget"])
    rule = gate_of(scorer, gate) if gate is not None else None
    settings: dict[str, Any] = {"gate": rule, **{name: given[name] for name in ("batch_size", "all_faces")}}
    if output is None:
        n_not_ok = _print(scorer, found, **settings)
    else:
        settings |= {"save_crops": save_crops, "decides": {"landmarks": _digest(given["landmarks"])}}
        if many.folder is None:
            n_not_ok = _write(Path(output), scorer, found, resume=resume, **settings)
        else:
            n_not_ok = _fill(many, scorer, make, found, **settings)
    if n_not_ok:
        raise typer.Exit(SOME_NOT_SCORED)


def _check_stdout(resume: bool, save_crops: Path | None) -> None:
    for option, given in (("--resume", resume), ("--save-crops", save_crops)):
        if given:
            raise typer.BadParameter(f"{option} needs --output")
    if process.stdout_is_closed():
        raise UsageError("standard output is closed: name a file with --output")


def _digest(landmarks: Path | None) -> str:
    from ..pipeline.facts import digest

    return digest(landmarks.read_bytes()) if landmarks else ""


def _write(output: Path, scorer: Scorer, found: Manifest, **settings: Any) -> int:
    from ..pipeline import score_to

    with process.advice("finished rows are kept, go on with --resume"), Watch() as watch:
        return score_to(output, scorer, found, progress=watch, remark=say, **settings).n_not_ok


def _fill(many: Many, scorer: Scorer, make: Callable[[], Scorer], found: Manifest, **settings: Any) -> int:
    from ..pipeline import Settings, score_dataset

    assert many.folder is not None
    with process.advice("finished parts are kept, the same command goes on"), Watch() as watch:
        return score_dataset(
            many.folder,
            scorer,
            found,
            Settings(**settings),
            make=make,
            share=many.share,
            workers=many.workers,
            cluster=many.cluster,
            progress=watch,
            remark=say,
        ).n_not_ok


def _print(scorer: Scorer, found: Manifest, *, batch_size: int, all_faces: bool, gate: Gate | None) -> int:
    from ..pipeline.feed import Feed
    from ..pipeline.station import open_all

    open_all(scorer, found, batch_size)
    feed = Feed.of(scorer, found.items())
    with Watch() as watch:
        results = scorer.stream(feed, batch_size, all_faces=all_faces, keep=())
        qualities = watch.each(results, found.contents.n_images)
        if sys.stdout.isatty():
            return print_table(qualities, scorer, gate)
        return _print_csv(qualities, scorer, gate, feed, found.contents.columns)


def _print_csv(
    qualities: Iterable[Quality],
    scorer: Scorer,
    gate: Gate | None,
    feed: Feed,
    carried: Sequence[Header],
) -> int:
    from ..pipeline.rows import carried_row, check_carried, columns, row
    from ..pipeline.sinks import CsvSink

    sys.stdout.reconfigure(errors="surrogateescape", newline="")  # type: ignore[union-attr]
    of, n_not_ok = columns(scorer.specs, reasons=scorer.policy is not None, gate=gate), 0
    check_carried(of, carried)
    table = CsvSink(sys.stdout, (*of, *carried))
    for quality in qualities:
        table.write(row(quality, of) | carried_row(feed.carried(quality), carried))
        n_not_ok += not quality.ok
    return n_not_ok
