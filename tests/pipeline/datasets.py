"""Crops in a folder, runs over them in processes of their own that can be killed, and what must come out."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from tests.pipeline.faces import mean_scorer, png

from fiqa.pipeline import Settings, Share, manifest_of, score_dataset
from fiqa.pipeline.leases import LEASE

N_KINDS = 40  # of crops; the rest are links to them
_RUN = "import sys; sys.path[:] = {path!r}; from tests.pipeline.datasets import main; main()"


def crops(folder: Path, n: int) -> Path:
    """A folder of so many crops; the last is no image."""
    folder.mkdir()
    for number in range(n - 1):
        path = folder / f"{number:06}.png"
        if number < N_KINDS:
            path.write_bytes(png(number * 997))
        else:
            os.link(folder / f"{number % N_KINDS:06}.png", path)
    (folder / f"{n - 1:06}.png").write_bytes(b"no image")
    return folder


def slow_scorer(seconds: float = 0.0) -> Any:
    """The scorer of the tests, with a pause before each batch, so that a kill meets it at work."""
    scorer = mean_scorer()
    judge = scorer.qualities

    def qualities(crops: Any, faces: Any = None) -> Any:
        time.sleep(seconds)
        return judge(crops, faces)

    scorer.qualities = qualities
    return scorer


def run(folder: Path, images: Path, *, shard_size: int = 25, pause: float = 0.0, **settings: Any) -> Any:
    """Fill a folder of parts, in this process unless ``settings`` say otherwise."""
    if share := settings.pop("share", None):
        settings["share"] = Share.read(share)
    if address := settings.pop("ray", None):
        from fiqa.pipeline.ray_cluster import Cluster

        settings["cluster"] = Cluster(address=address, n_actors=settings.pop("n_actors", 2))
    make = partial(slow_scorer, pause)
    return score_dataset(
        folder,
        make(),
        manifest_of(images, shard_size=shard_size),
        Settings(batch_size=4),
        make=make,
        lease=settings.pop("lease", LEASE),
        remark=lambda sentence: print(sentence, flush=True),
        **settings,
    )


def main() -> None:
    """What :func:`started` starts: its arguments are those of :func:`run`."""
    settings = json.loads(sys.argv[1])
    if host := settings.pop("host", None):
        import platform

        platform.node = lambda: host
    if most := settings.pop("most_bytes", None):
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    folder, images = Path(settings.pop("folder")), Path(settings.pop("images"))
    seen: list[int] = []
    done = run(folder, images, progress=lambda *_: seen.append(1), **settings)
    print("done", done.n_images, done.n_before, done.n_not_ok, len(seen), flush=True)


def started(folder: Path, images: Path, **settings: Any) -> subprocess.Popen[str]:
    """A run in a process of its own."""
    arguments = json.dumps({"folder": str(folder), "images": str(images), **settings})
    return subprocess.Popen(
        [sys.executable, "-c", _RUN.format(path=sys.path), arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def ended(process: subprocess.Popen[str]) -> str:
    """What a run said that came to its end."""
    out, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return out


def killed(process: subprocess.Popen[str], pid: int | None = None) -> None:
    """Kill a run, or a process that belongs to it, at once."""
    with suppress(ProcessLookupError):
        os.kill(pid or process.pid, signal.SIGKILL)
    if pid is None:
        process.communicate(timeout=60)


def children(pid: int, command: str = "") -> list[int]:
    """The processes that a process has started, directly or not, whose command line holds a text."""
    import psutil

    try:
        found = psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    numbers = []
    for child in found:
        try:
            if command in " ".join(child.cmdline()):
                numbers.append(child.pid)
        except psutil.Error:
            continue
    return numbers


def wait_for_parts(folder: Path, n: int, process: subprocess.Popen[str]) -> None:
    """Wait until so many parts are there, or the run has ended."""
    while process.poll() is None and len(list(folder.glob("part-*.parquet"))) < n:
        time.sleep(0.01)


def content(folder: Path) -> list[dict[str, Any]]:
    """All rows, part by part; of a folder in which nothing is left but what belongs there."""
    names = sorted(os.listdir(folder))
    parts = [name for name in names if name.startswith("part-")]
    manifest = [name for name in names if name.startswith("manifest-")]
    assert names == sorted([*parts, *manifest, "run.json"])
    return [row for name in parts for row in pq.read_table(folder / name).to_pylist()]


def moments(seed: str, n: int, most: float) -> list[float]:
    """So many random times in seconds."""
    times = random.Random(seed)
    return [times.uniform(0, most) for _ in range(n)]
