"""A whole run: images → scorer → table, with the facts that decide its numbers."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..calibration import Gate, read_gate
from ..errors import MissingExtra, UsageError
from ..scorer import Scorer
from ..types import CROP_SIZE, Quality
from . import sources
from .crops import CropFolder
from .facts import facts
from .output import Output, check_place
from .rows import row

Progress = Callable[[Quality, int, int], None]
"""Called with a result whose row is written, the images begun so far, and the images of this run."""


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
    inputs: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
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
        inputs: images, folders, patterns, ``@LIST`` or ``-``, as of :func:`fiqa.pipeline.expand`.
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
    images = _expanded(inputs)
    open_all(scorer, images, batch_size)
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
        resume=resume,
        several_rows=all_faces,
    ) as output:
        todo = [image for image in images if image not in output.done]
        if output.done:
            say(f"resuming: {len(images) - len(todo)} of {len(images)} images are done")
        for sentence in output.remarks:
            say(sentence)
        n_begun = 0
        keep: tuple[Literal["crop"], ...] = ("crop",) if crops else ()
        for quality in scorer.stream(todo, batch_size, all_faces=all_faces, keep=keep):
            if crops:
                crops.save(quality)
            output.write(row(quality, output.columns))
            n_begun += quality.face_index == 0
            if progress is not None:
                progress(quality, n_begun, len(todo))
    return Run(path=table, n_images=len(images), n_before=len(images) - len(todo), n_not_ok=output.n_failed)


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


def open_all(scorer: Scorer, images: Iterable[str], batch_size: int) -> None:
    """Open network and detector, so that what is missing is said before anything is written or printed.

    Raises:
        FiqaError: the network can't run, or an image needs a detector and there is none.
    """
    try:
        scorer.warm_up(batch_size)
    except MissingExtra:
        if scorer.align == "detect" or not all(map(_is_crop, images)):
            raise


def _is_crop(path: str) -> bool:
    """Whether an image needs no detector: it is 112×112, or can't be used anyway."""
    from PIL import Image

    if not os.path.isfile(path):  # a pipe would block
        return True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # its limit is half of ours
            with Image.open(path) as image:
                return image.size == (CROP_SIZE, CROP_SIZE)
    except Exception:  # Pillow's readers raise what they like on damaged bytes; its row will say it
        return True


def _expanded(inputs: Any) -> list[str]:
    if isinstance(inputs, sources.Images):
        return inputs
    return sources.expand([inputs] if isinstance(inputs, str | os.PathLike) else inputs)
