"""Any number of images in → a dataset out, by one process, by several, or by a cluster."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError
from ..scorer import Scorer
from ..types import Quality
from .dataset import Dataset, check_folder
from .leases import LEASE, Claims
from .manifest import Manifest
from .reports import Progress, Run
from .shards import Share, score_shards
from .sources import manifest_of
from .station import Settings, Station, open_all
from .workers import Job, run_workers

if TYPE_CHECKING:
    from .ray_cluster import Cluster

Make = Callable[[], Scorer]
"""Makes a scorer; one that other processes are to use must be importable, and may be pickled."""


def score_dataset(
    folder: str | os.PathLike[str],
    scorer: Scorer,
    inputs: Manifest | str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    settings: Settings | None = None,
    *,
    make: Make | None = None,
    share: Share | None = None,
    workers: int = 1,
    cluster: Cluster | None = None,
    lease: float = LEASE,
    progress: Progress | None = None,
    remark: Callable[[str], None] | None = None,
) -> Run:
    """Score images into a folder of Parquet parts; the same call goes on after whatever stopped it.

    Any number of such calls may work on one folder at a time, from any number of machines: each shard is done
    by one of them, and by another one if that dies.

    Args:
        folder: for ``part-00000.parquet …``, their manifest and ``run.json``.
        scorer: what scores.
        inputs: as of :class:`fiqa.pipeline.sources.Inputs`, or the manifest of them, which says how large
            a shard is.
        settings: how to score; None: the defaults.
        make: makes the same scorer in other processes.
        share: which of the shards, as a batch system deals them out; None: all.
        workers: processes of this machine.
        cluster: a Ray cluster that does it instead.
        lease: seconds after which the shard of a silent machine is done by another; the same for all.
        progress: called for each result.
        remark: called with a sentence on what is done already, or had to be done again.

    Returns:
        How many images these shards hold and how many rows are not ok.

    Raises:
        FiqaError: nothing to score, a folder that can't be used, or one of other images or settings.
        OSError: a part can't be written; those before are kept.
    """
    if workers < 1:
        raise UsageError(f"workers must be at least 1, but got {workers}")
    if make is None and (workers > 1 or cluster is not None):
        raise UsageError("several processes need a function that makes the scorer in each of them: give make")
    place, settings = Path(folder), settings or Settings()
    check_folder(place)
    manifest = inputs if isinstance(inputs, Manifest) else manifest_of(inputs)
    open_all(scorer, manifest, settings.batch_size)
    station = Station(scorer, settings, manifest.contents.columns)
    dataset = Dataset.begun(place, manifest, station.facts)
    manifest.close()
    say = remark or (lambda sentence: None)
    numbers = (share or Share()).numbers(dataset.manifest.n_shards)
    before = dataset.done() & set(numbers)
    if before:
        say(f"{len(before):,} of {len(numbers):,} parts are there already")
    left = [number for number in numbers if number not in before]
    counter = _Counter(dataset, left, progress)
    if left and (make is None or (workers == 1 and cluster is None)):
        with Claims(dataset.claims, lease=lease) as claims:
            score_shards(dataset, left, station, claims, counter)
    elif left and make is not None:
        whole = share or Share()
        job = Job(make=make, settings=settings, folder=place.absolute(), share=whole, lease=lease)
        if cluster is None:
            run_workers(job, workers, counter, say)
        else:
            cluster.run(job, dataset, left, counter, say)
    dataset.tidy()
    n_before, n_bad_before = dataset.count(before)
    n_now, n_bad_now = dataset.count(left)
    return Run(path=place, n_images=n_before + n_now, n_before=n_before, n_not_ok=n_bad_before + n_bad_now)


class _Counter:
    """Results → calls of a progress."""

    def __init__(self, dataset: Dataset, numbers: Iterable[int], progress: Progress | None) -> None:
        counts = [dataset.manifest.contents.counts[number] for number in numbers]
        known = [count for count in counts if count is not None]
        self._n_images = sum(known) if len(known) == len(counts) else None
        self._n_begun, self._progress = 0, progress

    def __call__(self, quality: Quality) -> None:
        self._n_begun += quality.face_index == 0
        if self._progress is not None:
            self._progress(quality, self._n_begun, self._n_images)
