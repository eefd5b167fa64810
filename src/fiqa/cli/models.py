"""``fiqa methods``, ``models``, ``export`` and ``bench``: what there is, and what it costs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ..errors import FiqaError
from .common import say
from .scorer_options import Given, scorer_options
from .tables import print_gates


def methods() -> None:
    """List the methods, their options, cost and source."""
    from dataclasses import MISSING, fields

    from rich.console import Console
    from rich.table import Table

    from ..engines import ENGINES
    from ..evaluation.recognizers.open import RECOGNIZERS
    from ..evaluation.rivals import RIVALS
    from ..faces import FACE_SOURCES
    from ..measures import CROP_MEASURES
    from ..methods.base import METHODS

    console = Console(width=None if sys.stdout.isatty() else 160, markup=False)  # a guest's text is text
    table = Table(box=None, header_style="bold")
    for name in ("method", "options (defaults)", "passes", "what it is", "source"):
        table.add_column(name, overflow="fold")
    for name, method in sorted(METHODS.items()):
        options = " ".join(
            f"{f.name}={'model' if f.default is MISSING else f.default}" for f in fields(method)
        )
        table.add_row(name, options, "1 or less", method.summary, method.source)
    table.add_section()
    for measure in CROP_MEASURES.values():
        needs = "; needs a photo, not a crop" if measure.needs_face else ""
        table.add_row(measure.name, "", "0", f"{measure.summary}; needs no network{needs}", measure.source)
    table.add_section()
    for rival in sorted(RIVALS.values(), key=lambda rival: rival.name):
        if rival.name not in CROP_MEASURES:
            what = f"{rival.summary}; in evaluate only; needs {rival.needs}"
            table.add_row(rival.name, " ".join(rival.options()), f"{rival.passes:g}", what, rival.source)
    table.add_section()
    for source in FACE_SOURCES.values():
        options = " ".join(f"{f.name}={f.default}" for f in fields(source))
        table.add_row(source.name, options, "", f"{source.summary}; --detector", source.source)
    console.print(table)
    for registry in (METHODS, ENGINES, RIVALS, RECOGNIZERS, FACE_SOURCES):
        _ = len(registry)  # loads the guests
        for said in registry.broken.values():
            say(said)
    print("\nMethods of one call share one forward pass, which stops at the deepest block they read.")


def models(
    gates: Annotated[
        bool, typer.Option("--gates", help="The gates of the embedded model's calibration instead.")
    ] = False,
) -> None:
    """List the embedded model and the published networks that are known, with source and licence."""
    from rich.console import Console
    from rich.table import Table

    from ..models.catalog import embedded
    from ..network.presets import PRESETS

    if gates:
        profile = embedded().profile
        assert profile is not None
        print_gates(profile)
        return
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


@scorer_options("method", "model", "heads")
def export(
    output: Annotated[Path, typer.Argument(help="The .onnx file to write.")],
    *,
    given: Given,
    half: Annotated[bool, typer.Option("--half", help="Store weights as float16.")] = False,
) -> None:
    """Write a network as an ONNX evidence graph, checked against torch; without --method, for all methods."""
    from ..graph import export as write
    from ..methods.base import needs, parse
    from ..models.catalog import find

    model, method = given["model"], given["method"]
    found = find(model, heads=given["heads"])
    if found.network is None:
        raise FiqaError(f"{model!r} is an evidence graph already")
    vit = found.network()
    wanted = needs([parse(spec, found.card) for spec in method]) if method else None
    write(vit, output, wanted, half=half)
    print(f"{output}: {output.stat().st_size / 1e6:.1f} MB, equal to torch within 1e-4")


@scorer_options("model", "engine", "precision", "threads", "batch_size", "heads")
def bench(
    *,
    given: Given,
) -> None:
    """Per depth: GFLOPs, measured time a face, and the share of this machine's own matrix-product rate."""
    from rich.console import Console
    from rich.table import Table

    from ..bench import measure

    report = measure(**given)
    table = Table(box=None, header_style="bold")
    for name in ("blocks", "GFLOPs", "ms a face", "faces/s", "share of GEMM rate"):
        table.add_column(name, justify="right")
    for line in report.lines:
        share = "" if line.gflops is None else f"{line.gflops / line.ms * 1e3 / report.gemm_gflops:.0%}"
        cost = "" if line.gflops is None else f"{line.gflops:.2f}"
        table.add_row(str(line.blocks), cost, f"{line.ms:.2f}", f"{1e3 / line.ms:.0f}", share)
    print(f"{report.model} on {report.engine}, {report.threads} threads, batch {given['batch_size']}")
    print(
        f"this machine multiplies float32 matrices at {report.gemm_gflops:.0f} GFLOP/s (ONNX Runtime, 2048³)"
    )
    Console(width=None if sys.stdout.isatty() else 100).print(table)
