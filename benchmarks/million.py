"""A million paths through manifest, shards and resume: time to the first result, and peak memory a process.

python benchmarks/million.py [--paths 1000000] [--workers 2] [--read]

The paths are hard links to 40 crops, in folders of a thousand. What is measured is all but the scoring:
results come from a scorer that makes them up, or with ``--read`` from one that decodes each image and takes
the mean of its pixels. A run is killed half way, and the next goes on. Each figure is a fresh process. Linux
only: it reads the kernel's own count of the peak.
"""

from __future__ import annotations

import argparse
import atexit
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fiqa import ModelCard, Quality, Scorer
from fiqa.evidence import Evidence
from fiqa.pipeline import Settings, score_dataset
from fiqa.stream import path_of

N_CROPS = 40  # a file has at most 65,000 links on ext4
IN_FOLDER = 1000


class MeanEngine:
    """An engine whose only exit is the mean of the pixels."""

    name, precision = "mean", "fp32"
    card = ModelCard(name="mean", depth=1, grid=(1, 1), exits=True)

    def run(self, crops: Any, wanted: Any) -> Evidence:
        means = crops.reshape(len(crops), -1).mean(axis=1, dtype=np.float64)
        return Evidence({name: means.astype(np.float32) for name in wanted}, (1, 1))


class MadeUp(Scorer):
    """Gives each image the same result and reads none."""

    def stream(self, images: Any, *settings: Any, **more: Any) -> Iterator[Quality]:
        for image in images:
            yield Quality(status="ok", raw={"exit:1": 1.0}, path=path_of(image))


def make(kind: str) -> Scorer:
    """The scorer of a process, which says its peak memory at its end."""
    atexit.register(lambda: print(f"  peak of process {os.getpid()}: {peak():.0f} MB", file=sys.stderr))
    which = {"made-up": MadeUp, "read": Scorer}[kind]
    return which(methods=["exit:1"], engine=MeanEngine(), align="none", threads=1)


def peak() -> float:
    """The most memory, in MB, that this process has held."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def links(folder: Path, n_paths: int) -> None:
    """Make the folder of crops."""
    rng = np.random.default_rng(0)
    for number in range(N_CROPS):
        crop = rng.integers(0, 256, (14, 14, 3), dtype=np.uint8).repeat(8, axis=0).repeat(8, axis=1)
        Image.fromarray(crop).save(folder / f"crop{number}.jpg", quality=90)
    for start in range(0, n_paths, IN_FOLDER):
        (inner := folder / "faces" / f"{start // IN_FOLDER:05}").mkdir(parents=True)
        for number in range(start, min(start + IN_FOLDER, n_paths)):
            os.link(folder / f"crop{number % N_CROPS}.jpg", inner / f"{number:07}.jpg")


def fill(folder: str, workers: str, kind: str, stop_after: str) -> None:
    """A run, which kills itself after so many results (0: never)."""
    begin, stop = time.perf_counter(), int(stop_after)
    here = make(kind)

    def progress(quality: Quality, n_begun: int, n_images: int | None) -> None:
        if n_begun == 1:
            print(f"  first result after {time.perf_counter() - begin:.1f} s, {peak():.0f} MB", flush=True)
        if n_begun == stop:
            print(f"  killed after {n_begun:,} results; peak of this process: {peak():.0f} MB", flush=True)
            os.kill(os.getpid(), signal.SIGKILL)

    settings = {"workers": int(workers), "make": partial(make, kind), "progress": progress}
    done = score_dataset(f"{folder}/out", here, f"{folder}/faces", Settings(), remark=print, **settings)
    seconds = time.perf_counter() - begin
    print(f"  {done.n_images:,} images, {done.n_before:,} of them before, in {seconds:.0f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--paths", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--read", action="store_true", help="decode the images")
    options = parser.parse_args()
    kind = "read" if options.read else "made-up"
    with tempfile.TemporaryDirectory(prefix="fiqa-million-") as folder:
        links(Path(folder), options.paths)
        for title, workers, stop in (
            ("one process, killed half way", 1, options.paths // 2),
            (f"{options.workers} workers go on, to the end", options.workers, 0),
            ("once more: nothing is left", 1, 0),
        ):
            print(f"{options.paths:,} paths, {title}", flush=True)
            code = (
                f"import sys; sys.path[:0] = {[str(Path(__file__).parent)]!r}; import million; "
                f"million.fill({folder!r}, {str(workers)!r}, {kind!r}, {str(stop)!r})"
            )
            subprocess.run([sys.executable, "-c", code], check=not stop)


if __name__ == "__main__":
    main()
