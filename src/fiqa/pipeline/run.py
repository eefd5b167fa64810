"""A whole run: images → scorer → table, with the facts that decide its numbers."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from ..calibration import Gate
from ..scorer import Scorer
from .bulk import score_dataset
from .dataset import is_folder
from .items import path_of
from .manifest import Manifest
from .output import Output, check_place
from .reports import Progress, Run
from .sources import manifest_of
from .station import Settings, Station, open_all


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
        path: the table, .csv, .jsonl or .parquet; what was decided lies beside it in ``PATH.run.json``. Or a
            folder for the parts of a table, as of :func:`fiqa.pipeline.score_dataset`.
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
    settings = Settings(
        all_faces=all_faces, batch_size=batch_size, save_crops=save_crops, gate=gate, decides=decides or {}
    )
    if is_folder(path):
        return score_dataset(path, scorer, inputs, settings, progress=progress, remark=remark)
    table = Path(path)
    check_place(table)
    manifest = inputs if isinstance(inputs, Manifest) else manifest_of(inputs)
    open_all(scorer, manifest, batch_size)
    station = Station(scorer, settings, manifest.contents.columns)
    say = remark or (lambda sentence: None)
    with Output(table, station.headers, station.facts, resume=resume, several_rows=all_faces) as output:
        n_images, n_before = _counts(manifest, output.done)
        if output.done:
            say(f"resuming: {n_before} of {n_images or 'the'} images are done")
        for sentence in output.remarks:
            say(sentence)
        n_begun, n_left = 0, None if n_images is None else n_images - n_before
        for quality, row, n_begun in station.rows(manifest.items(), wanted=lambda p: p not in output.done):
            output.write(row)
            if progress is not None:
                progress(quality, n_begun, n_left)
    n_images = n_before + n_begun if n_images is None else n_images
    return Run(path=table, n_images=n_images, n_before=n_before, n_not_ok=output.n_failed)


def _counts(manifest: Manifest, done: Collection[str]) -> tuple[int | None, int]:
    """(images, None where a tar holds some; of these the ones that are done, as far as they are known)."""
    n_images = manifest.contents.n_images
    if n_images is None:
        return None, len(done)
    return n_images, sum(path_of(item) in done for item in manifest.items()) if done else 0
