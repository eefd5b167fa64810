"""The commands that tell which quality to trust: evaluate, calibrate, validate, datasets."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import DataError, UsageError

if TYPE_CHECKING:
    from ..evaluation.datasets import Dataset
    from ..evaluation.measures import Measures
    from ..evaluation.recognizers import PrecomputedEmbeddings, Recognizer
    from ..evaluation.score_lists import ListedScores
    from ..types import ImageArray

INTERRUPTED = 130

# typer reads these annotations at run time
DatasetOption = Annotated[
    list[str] | None,
    typer.Option("--dataset", "-d", help="KIND=PATH or KIND:NAME=PATH; repeatable. See 'fiqa datasets'."),
]
RecognizerOption = Annotated[
    list[str] | None,
    typer.Option(
        "--recognizer", "-r", help="The judge: FILE[:option=value,…], .onnx, .npz, .pt; repeatable."
    ),
]
MethodOption = Annotated[
    list[str] | None, typer.Option("--method", "-m", help="Method spec; repeatable. See 'fiqa methods'.")
]
ModelOption = Annotated[
    str, typer.Option("--model", help="'default', a preset, PRESET=FILE, .onnx, .safetensors, .pt, hf-hub:…")
]
ScoresOption = Annotated[
    list[str] | None,
    typer.Option("--scores", help="NAME=FILE.csv[:COLUMN] with path,score of another tool; repeatable."),
]
AlignOption = Annotated[
    str, typer.Option("--align", help="Images that are no 112×112 crops: none (refuse) or detect.")
]
PairsOption = Annotated[str, typer.Option("--pairs", help="listed (where there are any) or all against all.")]
Resamples = Annotated[int, typer.Option(min=20, help="Bootstrap draws of subjects.")]
CacheOption = Annotated[
    Path | None,
    typer.Option(help="File for embeddings and scores. [default: cache.sqlite beside the output]"),
]
Engine = Annotated[str, typer.Option(help="auto, openvino, onnxruntime or torch.")]
Threads = Annotated[int | None, typer.Option(min=1, help="Processors to use. [default: all]")]
Heads = Annotated[int | None, typer.Option(min=1, help="Attention heads of a checkpoint that is no preset.")]


def evaluate(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for results and report.html.")],
    dataset: DatasetOption = None,
    recognizer: RecognizerOption = None,
    method: MethodOption = None,
    rival: Annotated[
        list[str] | None, typer.Option("--rival", help="NAME[:option=value,…]; repeatable.")
    ] = None,
    scores: ScoresOption = None,
    model: ModelOption = "default",
    fmr: Annotated[
        list[float] | None, typer.Option(help="FMR target; repeatable. [default: 1e-3, 1e-4]")
    ] = None,
    discard: Annotated[float, typer.Option(help="The pAUC runs to this share of discarded pairs.")] = 0.3,
    protocol: Annotated[str, typer.Option(help="fixed (ISO/IEC 29794-1) or recomputed.")] = "fixed",
    pairs: PairsOption = "listed",
    mated_per_subject: Annotated[int, typer.Option(min=1, help="Of all against all.")] = 300,
    non_mated: Annotated[
        int, typer.Option(min=1, help="Size of the sample, of all against all.")
    ] = 1_000_000,
    resamples: Resamples = 1000,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    align: AlignOption = "none",
    no_faces: Annotated[
        bool, typer.Option("--no-faces", help="Neither faces nor names in the report.")
    ] = False,
    cache: CacheOption = None,
    engine: Engine = "auto",
    threads: Threads = None,
    heads: Heads = None,
) -> None:
    """Which quality to trust: EDC of methods, rivals and other tools' scores, judged by recognisers.

    Writes report.html, results.json, results.csv and table.tex. A stopped run goes on where it was: give the
    same output folder.
    """
    from ..evaluation.evaluator import Settings
    from ..evaluation.evaluator import evaluate as judge
    from ..evaluation.measures import from_rival, from_scorer
    from ..evaluation.recognizers import VectorCache
    from ..evaluation.report import write_report
    from ..evaluation.rivals import open_rival

    settings = Settings(
        tuple(fmr or (1e-3, 1e-4)), discard, _one_of("protocol", protocol, ("fixed", "recomputed")),
        _one_of("pairs", pairs, ("listed", "all")), mated_per_subject, non_mated, resamples, seed=seed,
    )  # fmt: skip
    aligner = _aligner(align)
    sets = _datasets(dataset)
    judges = _recognizers(recognizer, threads)
    if not method and not rival and not scores:
        raise UsageError("there is nothing to evaluate: give --method, --rival or --scores.")
    measures: list[Measures] = []
    if method:
        measures.append(from_scorer(_scorer(model, method, engine, threads, heads)))
    specs = list(dict.fromkeys(rival or ()))
    opened = [open_rival(spec) for spec in specs]
    names = [one.name for one in opened]
    for spec, one in zip(specs, opened, strict=True):
        measures.append(from_rival(one, one.name if names.count(one.name) == 1 else spec))
    measures += [_listed(text) for text in scores or ()]
    with (
        _kept_on_interrupt("embeddings and scores are kept, give the same command to go on"),
        VectorCache(cache or output / "cache.sqlite") as store,
        _progress() as progress,
    ):
        evaluation = judge(sets, judges, measures, settings, cache=store, align=aligner, progress=progress)
        page = write_report(evaluation, output, () if no_faces else sets, aligner)
    for note in evaluation.notes:
        print(f"fiqa: note: {note}", file=sys.stderr)
    _print_results(evaluation)
    print(page)


def calibrate(
    output: Annotated[Path, typer.Option("--output", "-o", help="The profile to write, .json.")],
    dataset: Annotated[
        str | None, typer.Option("--dataset", "-d", help="KIND=PATH: images whose identities are known.")
    ] = None,
    recognizer: Annotated[
        str | None, typer.Option("--recognizer", "-r", help="The judge: FILE[:option=value,…].")
    ] = None,
    method: MethodOption = None,
    scores: ScoresOption = None,
    model: ModelOption = "default",
    fmr: Annotated[float, typer.Option(help="Where the judge accepts a comparison.")] = 1e-3,
    pairs: PairsOption = "listed",
    resamples: Resamples = 1000,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    align: AlignOption = "none",
    cache: CacheOption = None,
    engine: Engine = "auto",
    threads: Threads = None,
    heads: Heads = None,
) -> None:
    """Make a profile that turns raw scores into 0–100, for 'fiqa score --profile'.

    With a data set and a judge, 90 means: 90 % of mated comparisons are accepted at the FMR when this is the
    worse of the two images. With scores alone, or a data set without a judge, it is a percentile.
    """
    from ..calibration import Profile
    from ..evaluation.calibrator import fit_acceptance, fit_percentile
    from ..evaluation.evaluator import Settings, comparisons_of
    from ..evaluation.measures import from_scorer, measure
    from ..evaluation.metrics.verification import cosine_similarity
    from ..evaluation.recognizers import VectorCache

    if not method and not scores:
        raise UsageError("there is nothing to calibrate: give --method, or --scores NAME=FILE.csv.")
    if dataset is None and (method or recognizer):
        raise UsageError("methods and judges need images: give --dataset KIND=PATH.")
    _one_of("pairs", pairs, ("listed", "all"))
    listed = [_listed(text) for text in scores or ()]
    resolved = _resolved([one.name for one in listed], model, heads)
    source, calibrations = "", []
    if dataset is None:
        import numpy as np

        for one in listed:
            values = np.array(list(one.scores.values()))
            data = Path(one.source).name
            calibrations.append(
                fit_percentile(resolved[one.name], values, None, n_resamples=resamples, seed=seed, data=data)
            )
        source = "percentiles of " + ", ".join(Path(one.source).name for one in listed)
    else:
        chosen = _dataset(dataset)
        if chosen.templates is not None:
            raise UsageError(f"data set {chosen.name!r} compares templates: calibrate on single images.")
        measures: list[Measures] = list(listed)
        if method:
            scorer = _scorer(model, method, engine, threads, heads)
            resolved |= scorer.used
            measures.insert(0, from_scorer(scorer))
        judges = _recognizers([recognizer], threads) if recognizer else []
        settings = Settings((fmr,), pairs=_one_of("pairs", pairs, ("listed", "all")), seed=seed)
        with (
            _kept_on_interrupt("embeddings and scores are kept, give the same command to go on"),
            VectorCache(cache or output.with_suffix(".cache.sqlite")) as store,
            _progress() as progress,
        ):
            found = measure(
                chosen, judges, measures, cache=store, align=_aligner(align),
                progress=lambda done, total: progress(chosen.name, done, total),
            )  # fmt: skip
        source = f"{len(chosen)} images of {chosen.name}"
        for name, quality in found.quality.items():
            if not judges:
                subjects = chosen.subjects
                calibrations.append(
                    fit_percentile(
                        resolved[name], quality, subjects, n_resamples=resamples, seed=seed, data=chosen.name
                    )
                )
                continue
            compared = comparisons_of(chosen, settings)
            similarity = cosine_similarity(found.embeddings[judges[0].name], compared.pairs)
            calibrations.append(
                fit_acceptance(
                    resolved[name],
                    quality,
                    compared.pairs,
                    similarity,
                    compared.is_genuine,
                    compared.subjects,
                    fmr,
                    n_resamples=resamples,
                    seed=seed,
                    data=chosen.name,
                )
            )
        if judges:
            source = f"judged by {judges[0].name} on {source}"
    profile = Profile(_model_name(model, heads), {fitted.spec: fitted for fitted in calibrations}, source)
    output.parent.mkdir(parents=True, exist_ok=True)
    profile.save(output)
    for calibration in calibrations:
        print(f"{calibration.spec}: {calibration.meaning}")
    print(output)


def validate(
    images: Annotated[list[str], typer.Argument(help="Images, folders, globs, @LIST, or -.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for validation.html and .json.")],
    method: MethodOption = None,
    model: ModelOption = "default",
    kind: Annotated[list[str] | None, typer.Option(help="Degradation; repeatable. [default: all]")] = None,
    steps: Annotated[int, typer.Option(min=2, help="Severities, the unchanged image included.")] = 6,
    limit: Annotated[int, typer.Option(min=2, help="Use this many images at most, evenly chosen.")] = 200,
    resamples: Resamples = 1000,
    align: Annotated[str, typer.Option(help="auto, none or detect.")] = "auto",
    engine: Engine = "auto",
    threads: Threads = None,
    heads: Heads = None,
) -> None:
    """Does the quality fall when your own images get worse? No labels needed.

    Without --method it tries many settings of each method and proposes blocks, alpha and weighting for the
    model; with --method it measures these.
    """
    import numpy as np

    from ..degradations import DEGRADATIONS
    from ..evaluation.report import write_validation
    from ..evaluation.validator import candidates, propose
    from ..evaluation.validator import validate as climb
    from ..models.catalog import find
    from ..pipeline import sources
    from ..scorer import Scorer

    for name in kind or ():
        if name not in DEGRADATIONS:
            from ..errors import unknown

            raise unknown("degradation", name, DEGRADATIONS)
    cost = None if method else candidates(find(model, heads=heads).card)
    specs = method or list(cost or ())
    scorer = Scorer(
        model,
        specs,
        engine=engine,
        align=_one_of("align", align, ("auto", "none", "detect")),
        threads=threads,
        heads=heads,
    )
    paths = sources.expand(images)
    if len(paths) > limit:
        paths = [paths[place] for place in np.linspace(0, len(paths) - 1, limit).round().astype(int)]
    crops, remarks = _crops(scorer, paths)
    if len(crops) < 2:
        raise DataError(f"{len(crops)} of {len(paths)} images have a face: a validation needs at least 2.")
    if len(crops) < 20:
        remarks.append(f"Only {len(crops)} images: intervals are rough, take 20 or more.")
    total = len(kind or DEGRADATIONS) * len(crops) * steps
    with _kept_on_interrupt("nothing was written"), _progress() as progress:
        done = 0

        def score(batch: ImageArray) -> dict[str, Any]:
            nonlocal done
            found = scorer.score_crops(batch)
            done += len(batch)
            progress("ladders", done, total)
            return found

        found = climb(score, crops, tuple(kind or DEGRADATIONS), steps, n_resamples=resamples)
    proposals = propose(found, cost) if cost else None
    page = write_validation(found, output, len(crops), proposals, tuple(remarks), scorer.card.name)
    for name, proposal in (proposals or {}).items():
        print(f"{name}: {proposal.spec} (Spearman {found[proposal.spec].spearman.estimate:.3f})")
    if not proposals:
        for spec, validation in found.items():
            low, high = validation.spearman.interval()
            print(f"{spec}: Spearman {validation.spearman.estimate:.3f} [{low:.3f}, {high:.3f}]")
    print(page)


def datasets() -> None:
    """List the data sets that can be read: what each needs on disk, and where its owners hand it out."""
    from rich.console import Console
    from rich.table import Table

    from ..evaluation.datasets import DATASETS

    table = Table(box=None, header_style="bold", show_lines=False)
    for name in (
        "kind",
        "what it tests",
        "mated / non-mated",
        "what is needed (any one)",
        "who hands it out",
    ):
        table.add_column(name, overflow="fold")
    for info in DATASETS.values():
        table.add_row(info.name, info.title, info.comparisons, "\n".join(info.needs), info.source)
    Console(width=None if sys.stdout.isatty() else 180).print(table)
    print("\nNothing is downloaded: each has its own terms. Then: fiqa evaluate --dataset KIND=PATH …")


# --- what several commands read ----------------------------------------------------------------------------


def _dataset(text: str) -> Dataset:
    from dataclasses import replace

    from ..evaluation.datasets import read_dataset

    key, equals, path = text.partition("=")
    if not equals or not key or not path:
        raise UsageError(f"--dataset is KIND=PATH, such as lfw=faces/lfw or folder=mine, got {text!r}.")
    kind, _, name = key.partition(":")
    found = read_dataset(kind, path)
    return replace(found, name=name) if name else found


def _datasets(texts: Sequence[str] | None) -> list[Dataset]:
    if not texts:
        raise UsageError("there is no data set: give --dataset KIND=PATH (see 'fiqa datasets').")
    return [_dataset(text) for text in texts]


def _recognizers(
    texts: Sequence[str] | None, threads: int | None
) -> list[Recognizer | PrecomputedEmbeddings]:
    from ..evaluation.recognizers import open_recognizer

    if not texts:
        raise UsageError("there is no judge: give --recognizer FILE (an ONNX network, a checkpoint or .npz).")
    return [open_recognizer(text, threads=threads) for text in texts]


def _listed(text: str) -> ListedScores:
    from ..evaluation.score_lists import choose_column, read_scores

    # the name may itself hold options, as in vitnt:blocks=0-5=scores.csv
    match = re.fullmatch(r"(.+)=([^=]+)", text)
    if match is None:
        raise UsageError(f"--scores is NAME=FILE.csv or NAME=FILE.csv:COLUMN, got {text!r}.")
    path, column = choose_column(match[2])
    return read_scores(path, match[1], column)


def _scorer(model: str, methods: Sequence[str], engine: str, threads: int | None, heads: int | None) -> Any:
    from ..scorer import Scorer

    return Scorer(model, methods, engine=engine, align="none", threads=threads, heads=heads)


def _resolved(names: Sequence[str], model: str, heads: int | None) -> dict[str, str]:
    """Names of score lists as a scorer will look them up: a method's whole spec, any other name as it is."""
    from ..methods.base import METHODS, parse
    from ..models.catalog import find

    ours = [name for name in names if name.partition(":")[0] in METHODS]
    card = find(model, heads=heads).card if ours else None
    return {name: str(parse(name, card)) if card is not None and name in ours else name for name in names}


def _model_name(model: str, heads: int | None) -> str:
    from ..models.catalog import find

    return find(model, heads=heads).card.name


def _aligner(align: str) -> Callable[[ImageArray], ImageArray] | None:
    if _one_of("align", align, ("none", "detect")) == "none":
        return None
    from ..errors import ImageError
    from ..faces import DetectorSource, default_detector, whole_as_crop
    from ..faces import align as warp

    source = DetectorSource(default_detector())

    def aligned(pixels: ImageArray) -> ImageArray:
        try:
            return warp(pixels, source.faces(pixels)[0].landmarks)
        except (ImageError, IndexError):
            # a comparison can't leave out one of its images, so the image itself stands for its face
            return whole_as_crop(pixels)

    return aligned


def _crops(scorer: Any, paths: Sequence[str]) -> tuple[Any, list[str]]:
    import numpy as np

    qualities = list(scorer.stream(paths))
    crops = [quality.crop for quality in qualities if quality.ok]
    remarks = []
    if len(crops) < len(qualities):
        first = next(quality for quality in qualities if not quality.ok)
        remarks.append(
            f"{len(qualities) - len(crops)} of {len(qualities)} images are left out, the first because: "
            f"{first.reason}"
        )
    return np.array(crops, dtype=np.uint8), remarks


def _one_of(option: str, value: str, allowed: Sequence[str]) -> Any:
    if value not in allowed:
        raise UsageError(f"--{option} must be one of {', '.join(allowed)}, got {value!r}.")
    return value


@contextmanager
def _kept_on_interrupt(what: str) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        print(f"fiqa: stopped; {what}", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """A bar a data set on a terminal's stderr; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda name, done, total: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def show(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(name, total=total)
            bar.update(tasks[name], completed=done)

        yield show


def _print_results(evaluation: Any) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, header_style="bold", title=None)
    for name in ("data set", "judge", "FMR", "method", "pAUC (1 = random)", "interval", ""):
        table.add_column(name, justify="left" if name in ("data set", "judge", "method", "") else "right")
    for result in evaluation.results:
        interval = "" if result.low != result.low else f"{result.low:.3f} – {result.high:.3f}"
        value = "–" if result.normalised != result.normalised else f"{result.normalised:.3f}"
        mark = "best" if result.is_best else "as good" if result.as_good else ""
        table.add_row(
            escape(result.dataset), escape(result.recognizer), f"{result.fmr:g}", escape(result.method),
            value, interval, mark, style="bold" if result.is_best else None,
        )  # fmt: skip
    Console(width=None if sys.stdout.isatty() else 160).print(table)
