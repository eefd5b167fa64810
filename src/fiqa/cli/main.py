"""The command line. It only reads arguments and prints; what it does lives in the library."""

from __future__ import annotations

import errno
import os
import sys
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from ..errors import FiqaError
from .judging import register as register_evaluation

if TYPE_CHECKING:
    from ..scorer import Scorer
    from ..types import Quality

OK, WRONG_USE, SOME_NOT_SCORED, FAILED, INTERRUPTED = 0, 2, 3, 1, 130

# what a full disk, a folder of someone else's or a name that can't be opened looks like
_CANT_WRITE = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EACCES, errno.EPERM, errno.EROFS),
    *(errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG),
)


class _Commands(TyperGroup):
    """The commands; whatever a user can cause ends in one sentence and an exit code.

    Caught here, since typer itself would end a closed pipe with code 1 and Ctrl-C without a word.
    """

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except FiqaError as error:
            _say(str(error))
            raise typer.Exit(WRONG_USE) from error
        except BrokenPipeError as error:  # the reader, such as head, has seen enough
            _abandon_stdout()
            raise typer.Exit(OK) from error
        except OSError as error:
            if error.errno not in _CANT_WRITE:
                raise
            where = f" {error.filename!r}" if error.filename else ""
            _say(f"can't write{where}: {error.strerror}; what was written before is kept")
            try:
                sys.stdout.flush()
            except OSError:
                _abandon_stdout()
            raise typer.Exit(FAILED) from error
        except KeyboardInterrupt as error:
            _say("stopped; finished rows are kept, go on with --resume")
            raise typer.Exit(INTERRUPTED) from error


app = typer.Typer(
    name="fiqa",
    cls=_Commands,
    help="How useful is each face image for recognition?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

# typer reads these annotations at run time, on Python 3.10 too: hence Optional and list, not | None
Model = Annotated[
    str, typer.Option("--model", help="'default', a preset, PRESET=FILE, .onnx, .safetensors, .pt, hf-hub:…")
]
Methods = Annotated[
    list[str] | None, typer.Option("--method", "-m", help="Method spec; repeatable. See 'fiqa methods'.")
]
Engine = Annotated[str, typer.Option(help="auto, openvino, onnxruntime or torch.")]
Precision = Annotated[str, typer.Option(help="fp32, bf16 or int8.")]
Threads = Annotated[int | None, typer.Option(min=1, help="Processors to use. [default: all]")]
Heads = Annotated[int | None, typer.Option(min=1, help="Attention heads of a checkpoint that is no preset.")]
Align = Annotated[str, typer.Option(help="auto, none or detect.")]
Landmarks = Annotated[Path | None, typer.Option(help="CSV path,x1,y1,…,x5,y5 to use in place of a detector.")]
Budget = Annotated[str | None, typer.Option(help="Limit a face's pass: 50%, 3GFLOPs or 20ms.")]


def main() -> None:
    """Entry point of the script ``fiqa``."""
    # Pillow's own limit, half of ours and only a warning, need not interrupt a table of scores.
    warnings.filterwarnings("ignore", "Image size .* exceeds limit")
    app(prog_name="fiqa")


def _abandon_stdout() -> None:
    """Let Python's own flush at its exit go nowhere, since it would complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(message: str) -> None:
    print(f"fiqa: {_printable(message)}", file=sys.stderr)


def _printable(text: str) -> str:
    """Text for a terminal: control characters and undecodable bytes become escapes."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text
    )


def _scorer(**settings: Any) -> Scorer:
    landmarks = settings.pop("landmarks", None)
    if landmarks is not None:
        from ..faces.sources import LandmarksCsv

        settings["detector"] = LandmarksCsv(landmarks)
    from ..scorer import Scorer

    return Scorer(**settings)


@app.command()
def score(
    paths: Annotated[
        list[str], typer.Argument(help="Images, folders, globs, @LIST, or - for a list on stdin.")
    ],
    method: Methods = None,
    model: Model = "default",
    align: Align = "auto",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to .csv, .jsonl or .parquet.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an unfinished --output.")] = False,
    all_faces: Annotated[bool, typer.Option("--all-faces", help="Every face, not just the largest.")] = False,
    budget: Budget = None,
    engine: Engine = "auto",
    precision: Precision = "fp32",
    threads: Threads = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Faces a forward pass.")] = 8,
    heads: Heads = None,
    landmarks: Landmarks = None,
    profile: Annotated[Path | None, typer.Option(help="Calibration profile for the 0–100 score.")] = None,
) -> None:
    """Score face images: a table on a terminal, CSV into a pipe, or a file with -o.

    Exit code 0: every input was scored; 3: some were not (each has its row and status); 2: wrong use.
    """
    from ..pipeline import run, sources
    from ..pipeline.output import Output

    if resume and output is None:
        raise typer.BadParameter("--resume needs --output")
    found = sources.expand(paths)
    scorer = _scorer(
        model=model, methods=method, engine=engine, align=align, threads=threads, precision=precision,
        heads=heads, profile=profile, budget=budget, landmarks=landmarks,
    )  # fmt: skip
    _announce(scorer, budget)
    if output is not None:
        facts = run.facts(scorer, all_faces=all_faces, landmarks=landmarks)
        with Output(output, scorer.specs, facts, resume=resume, several_rows=all_faces) as table:
            if table.done:
                print(f"resuming: {len(table.done)} of {len(found)} images are done", file=sys.stderr)
            todo = [path for path in found if path not in table.done]
            qualities = run.score_into(table, scorer, todo, batch_size=batch_size, all_faces=all_faces)
            for _ in _with_reasons(_with_progress(qualities, len(todo))):
                pass
            failed = table.n_failed
    else:
        qualities = scorer.stream(found, batch_size, all_faces=all_faces)
        qualities = _with_reasons(_with_progress(qualities, len(found)))
        failed = _print_table(qualities, scorer) if sys.stdout.isatty() else _print_csv(qualities, scorer)
    if failed:
        raise typer.Exit(SOME_NOT_SCORED)


def _announce(scorer: Scorer, budget: str | None) -> None:
    notes = [f"{scorer.card.name} on {scorer.engine}"]
    if budget:
        notes.append("within the budget: " + ", ".join(scorer.used.values()))
    if scorer.scored_by is None:
        notes.append("no calibration for this model and method, so no 0–100 score (see 'fiqa calibrate')")
    print(f"fiqa: {'; '.join(notes)}", file=sys.stderr)


def _with_progress(qualities: Any, total: int) -> Any:
    """Pass qualities through, with a bar, the rate and the time left on a terminal's stderr."""
    if not sys.stderr.isatty():
        yield from qualities
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    text = TextColumn("{task.fields[rate]}")
    with Progress(
        BarColumn(),
        MofNCompleteColumn(),
        text,
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        task = bar.add_task("", total=total, rate="")
        for quality in qualities:
            yield quality
            if quality.face_index == 0:
                speed = bar.tasks[0].speed
                bar.update(task, advance=1, rate=f"{speed:.1f} images/s" if speed else "")


def _with_reasons(qualities: Iterable[Quality], most: int = 10) -> Iterator[Quality]:
    """Pass qualities through; at the end say on stderr why the first ``most`` bad ones have no score."""
    reasons, failed = [], 0
    for quality in qualities:
        yield quality
        if not quality.ok:
            failed += 1
            reasons += [f"{quality.path}: {quality.reason}"] if failed <= most else []
    for reason in reasons:
        _say(reason)
    if failed > most:
        _say(f"and {failed - most} more, each with its status in the table")


def _print_csv(qualities: Any, scorer: Scorer) -> int:
    from ..pipeline import rows, sinks

    sys.stdout.reconfigure(errors="surrogateescape", newline="")  # type: ignore[union-attr]
    table, failed = sinks.CsvSink(sys.stdout, rows.columns(scorer.specs)), 0
    for quality in qualities:
        table.write(rows.row(quality, scorer.specs))
        failed += not quality.ok
    return failed


def _print_table(qualities: Any, scorer: Scorer) -> int:
    from rich.console import Console
    from rich.table import Table

    table, failed = Table(box=None, header_style="bold"), 0
    for name, justify in (("path", "left"), ("face", "right"), ("status", "left"), ("score", "right")):
        table.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for spec in scorer.specs:
        table.add_column(spec, justify="right")
    for quality in qualities:
        failed += not quality.ok
        table.add_row(*_cells(quality, scorer.specs), style=None if quality.ok else "dim")
    Console().print(table)
    return failed


def _cells(quality: Quality, specs: tuple[str, ...]) -> list[str]:
    from rich.markup import escape

    path = escape(_printable(quality.path or ""))
    if not quality.ok:
        return [path, "", quality.status, "", *("" for _ in specs)]
    score = "" if quality.score is None else f"{quality.score:.1f}"
    return [path, str(quality.face_index), "ok", score, *(f"{quality.raw[spec]:.4f}" for spec in specs)]


@app.command()
def explain(
    images: Annotated[list[str], typer.Argument(help="Images, folders, globs, @LIST, or -.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the overlays and index.html.")],
    method: Methods = None,
    model: Model = "default",
    align: Align = "auto",
    engine: Engine = "auto",
    threads: Threads = None,
    heads: Heads = None,
    landmarks: Landmarks = None,
) -> None:
    """Draw which part of each face counts: one overlay per image and method, and a page that shows them."""
    from ..pages.explanation import write_page
    from ..pipeline import sources

    scorer = _scorer(
        model=model,
        methods=method,
        engine=engine,
        align=align,
        threads=threads,
        heads=heads,
        landmarks=landmarks,
    )
    found = sources.expand(images)
    qualities = list(_with_reasons(_with_progress(scorer.stream(found), len(found))))
    page = write_page(qualities, scorer, output)
    print(page)
    if not all(quality.ok for quality in qualities):
        raise typer.Exit(SOME_NOT_SCORED)


@app.command()
def methods() -> None:
    """List the methods, their options, cost and source."""
    from dataclasses import fields

    from rich.console import Console
    from rich.table import Table

    from ..evaluation.rivals import RIVALS
    from ..methods.base import METHODS

    console = Console(width=None if sys.stdout.isatty() else 160)
    table = Table(box=None, header_style="bold")
    for name in ("method", "options (defaults)", "passes", "what it is", "source"):
        table.add_column(name, overflow="fold")
    for name, method in sorted(METHODS.items()):
        options = " ".join(f"{f.name}={'model' if f.default is None else f.default}" for f in fields(method))
        table.add_row(name, options, "1 or less", method.summary, method.source)
    table.add_section()
    for rival in sorted(RIVALS.values(), key=lambda rival: rival.name):
        table.add_row(
            rival.name,
            " ".join(rival.options),
            f"{rival.passes:g}",
            f"{rival.summary}; needs {rival.needs}",
            rival.source,
        )
    console.print(table)
    print("\nMethods of one call share one forward pass, which stops at the deepest block they read.")


@app.command()
def models() -> None:
    """List the embedded model and the published networks that are known, with source and licence."""
    from rich.console import Console
    from rich.table import Table

    from ..models.catalog import embedded
    from ..network.presets import PRESETS

    table = Table(box=None, header_style="bold")
    for name in ("model", "width/depth/heads/patch", "source", "licence"):
        table.add_column(name, overflow="fold")
    card = embedded().card
    shape = f"{card.width}/{card.depth}/{card.heads}/{112 // card.grid[0]}"
    table.add_row("default", shape, card.source, card.licence)
    for preset in PRESETS.values():
        width, depth, _, patch = preset.shape
        table.add_row(preset.name, f"{width}/{depth}/{preset.heads}/{patch}", preset.source, preset.licence)
    Console(width=None if sys.stdout.isatty() else 160).print(table)


@app.command()
def export(
    output: Annotated[Path, typer.Argument(help="The .onnx file to write.")],
    model: Model = "default",
    method: Methods = None,
    heads: Heads = None,
    half: Annotated[bool, typer.Option("--half", help="Store weights as float16.")] = False,
) -> None:
    """Write a network as an ONNX evidence graph, checked against torch; without --method, for all methods."""
    from ..graph.exporter import export as write
    from ..methods.base import needs, parse
    from ..models.catalog import find

    found = find(model, heads=heads)
    if found.network is None:
        raise FiqaError(f"{model!r} is an evidence graph already")
    vit = found.network()
    wanted = needs([parse(spec, found.card) for spec in method]) if method else None
    write(vit, output, wanted, half=half)
    print(f"{output}: {output.stat().st_size / 1e6:.1f} MB, equal to torch within 1e-4")


@app.command()
def bench(
    model: Model = "default",
    engine: Engine = "auto",
    precision: Precision = "fp32",
    threads: Threads = None,
    batch_size: Annotated[int, typer.Option(min=1)] = 8,
    heads: Heads = None,
) -> None:
    """Per depth: GFLOPs, measured time a face, and the share of this machine's own matrix-product rate."""
    from rich.console import Console
    from rich.table import Table

    from ..bench import measure

    report = measure(model, engine, precision, threads, batch_size, heads)
    table = Table(box=None, header_style="bold")
    for name in ("blocks", "GFLOPs", "ms a face", "faces/s", "share of GEMM rate"):
        table.add_column(name, justify="right")
    for line in report.lines:
        share = "" if line.gflops is None else f"{line.gflops / line.ms * 1e3 / report.gemm_gflops:.0%}"
        cost = "" if line.gflops is None else f"{line.gflops:.2f}"
        table.add_row(str(line.blocks), cost, f"{line.ms:.2f}", f"{1e3 / line.ms:.0f}", share)
    print(f"{report.model} on {report.engine}, {report.threads} threads, batch {batch_size}")
    print(
        f"this machine multiplies float32 matrices at {report.gemm_gflops:.0f} GFLOP/s (ONNX Runtime, 2048³)"
    )
    Console(width=None if sys.stdout.isatty() else 100).print(table)


@app.command()
def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the overlays.")] = Path(
        "out/demo"
    ),
    threads: Threads = None,
) -> None:
    """Score the example photographs with the embedded model and draw their overlays."""
    from ..examples.portraits import example_paths
    from ..pages.explanation import write_page

    scorer = _scorer(threads=threads)
    _announce(scorer, None)
    qualities = list(scorer.stream(example_paths()))
    _print_table(qualities, scorer)
    print(write_page(qualities, scorer, output))
    if not all(quality.ok for quality in qualities):
        raise typer.Exit(SOME_NOT_SCORED)


register_evaluation(app)

if __name__ == "__main__":
    main()
