"""A whole run: images → scorer → table, with the facts that decide its numbers."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..calibration import Gate, read_gate
from ..errors import MissingExtra, UsageError
from ..images.remote import is_remote
from ..scorer import Scorer
from ..types import CROP_SIZE, Quality
from . import sources
from .crops import CropFolder
from .facts import facts
from .feed import Feed
from .items import Item, path_of
from .lists import PATH
from .manifest import SHARD_SIZE, Manifest
from .output import Output, check_place
from .rows import carried_row, row

Progress = Callable[[Quality, int, int | None], None]
"""Called with a result whose row is written, the images begun so far, and the images of this run, as far as
they have been counted: those in tars have not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a run did.

    Attributes:
        path: the table.
        n_images: images that were asked for.
        n_before: of these, the images that the table had already.
        n_not_ok: rows of the table whose status is not ``ok``, those of before included.
    """

    path: Path
    n_images: int
    n_before: int
    n_not_ok: int


def score_to(
    path: str | os.PathLike[str],
    scorer: Scorer,
    inputs: Manifest | str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    resume: bool = False,
    all_faces: bool = False,
    batch_size: int = 8,
    save_crops: str | os.PathLike[str] | None = None,
    gate: str | Gate | None = None,
    decides: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    remark: Callable[[str], None] | None = None,
) -> Run:
    """Score any number of images into a table, row by row; a run that was killed is continued by ``resume``.

    Args:
        path: the table, .csv, .jsonl or .parquet; what was decided lies beside it in ``PATH.run.json``.
        scorer: what scores; its network and detector are opened before anything is written.
        inputs: images, folders, patterns, URLs, lists and tars, as of
            :class:`fiqa.pipeline.sources.Inputs`, or the manifest of them.
        resume: go on with the table that is there; without it, that one is kept as ``PATH.bak``. Images whose
            status is ``failed`` are tried again, and those that are ``unreadable`` where ``tolerant`` is new.
        all_faces: a row for every face, rather than for the largest.
        batch_size: faces per forward pass.
        save_crops: a folder for the aligned crops of all scored faces; column ``crop`` has their names.
        gate: who is good enough, such as ``"60"`` or ``"fnmr=1%"`` (:func:`fiqa.calibration.read_gate`); adds
            the column ``accepted``.
        decides: further settings that decide the numbers; a resumed run must have the same.
        progress: called for each row, once it is written.
        remark: called with a sentence on what becomes of a table that was there.

    Returns:
        How many images there were and how many rows are not ok; a bad image never stops a run.

    Raises:
        FiqaError: nothing to score, a place that can't be written, or a table of other settings.
    """
    if batch_size < 1:
        raise UsageError(f"batch_size must be at least 1, but got {batch_size}")
    table = Path(path)
    check_place(table)
    rule = gate_of(scorer, gate) if isinstance(gate, str) else gate
    manifest = inputs if isinstance(inputs, Manifest) else manifest_of(inputs)
    open_all(scorer, manifest, batch_size)
    crops = CropFolder(save_crops) if save_crops is not None else None
    settled = dict(decides or {}) | ({} if rule is None else {"gate": str(rule)})
    found = facts(scorer, all_faces=all_faces, decides=settled)
    say = remark or (lambda sentence: None)
    with Output(
        table,
        scorer.specs,
        found,
        crops=crops is not None,
        reasons=scorer.policy is not None,
        gate=rule,
        carried=manifest.contents.columns,
        resume=resume,
        several_rows=all_faces,
    ) as output:
        n_images, n_before = _counts(manifest, output.done)
        if output.done:
            say(f"resuming: {n_before} of {n_images or 'the'} images are done")
        for sentence in output.remarks:
            say(sentence)
        feed = Feed.of(scorer, manifest.items(), wanted=lambda path: path not in output.done)
        keep: tuple[Literal["crop"], ...] = ("crop",) if crops else ()
        for quality in scorer.stream(feed, batch_size, all_faces=all_faces, keep=keep):
            if crops:
                crops.save(quality)
            carried = carried_row(feed.carried(quality), manifest.contents.columns)
            output.write(row(quality, output.columns) | carried)
            if progress is not None:
                progress(quality, feed.n_begun, None if n_images is None else n_images - n_before)
    n_images = n_before + feed.n_begun if n_images is None else n_images
    return Run(path=table, n_images=n_images, n_before=n_before, n_not_ok=output.n_failed)


def manifest_of(
    inputs: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    path_column: str = PATH,
    shard_size: int = SHARD_SIZE,
) -> Manifest:
    """All there is to score, each path once.

    Args:
        inputs: what :class:`fiqa.pipeline.sources.Inputs` takes.
        path_column: of a list with columns, the one that names the images.
        shard_size: images in a shard.

    Raises:
        FiqaError: there is nothing, or a list can't be read.
    """
    if isinstance(inputs, sources.Images):
        return Manifest.made(inputs, shard_size=shard_size)
    found = sources.Inputs(
        [inputs] if isinstance(inputs, str | os.PathLike) else inputs, path_column=path_column
    )
    return Manifest.made(found, found.columns, shard_size=shard_size)


def _counts(manifest: Manifest, done: Collection[str]) -> tuple[int | None, int]:
    """(images, None where a tar holds some; of these the ones that are done, as far as they are known)."""
    n_images = manifest.contents.n_images
    if n_images is None:
        return None, len(done)
    return n_images, sum(path_of(item) in done for item in manifest.items()) if done else 0


def gate_of(scorer: Scorer, rule: str) -> Gate:
    """What a rule such as ``60`` or ``fnmr=1%`` means for the scores of this scorer.

    Raises:
        UsageError: the text is none, or the scorer lacks the 0–100 score or the gate.
    """
    if scorer.calibration is None:
        raise UsageError(
            f"a gate needs a score from 0 to 100, and {scorer.card.name} has none for these methods: make a "
            "profile with 'fiqa calibrate'"
        )
    return read_gate(rule, scorer.calibration)


def open_all(scorer: Scorer, manifest: Manifest, batch_size: int) -> None:
    """Open network and detector, so that what is missing is said before anything is written or printed.

    Raises:
        FiqaError: the network can't run, or an image needs a detector and there is none.
    """
    try:
        scorer.warm_up(batch_size)
    except MissingExtra:
        if scorer.align == "detect" or not all(map(_is_crop, manifest.items())):
            raise


def _is_crop(item: Item | str) -> bool:
    """Whether an image needs no detector: it is 112×112, or can't be used anyway."""
    from PIL import Image

    path = path_of(item)
    if is_remote(path) or (isinstance(item, Item) and item.is_tar):
        return True  # nobody knows before it is read
    if not os.path.isfile(path):  # a pipe would block
        return True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # its limit is half of ours
            with Image.open(path) as image:
                return image.size == (CROP_SIZE, CROP_SIZE)
    except Exception:  # Pillow's readers raise what they like on damaged bytes; its row will say it
        return True
