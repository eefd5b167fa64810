"""Bulk scoring of crops from files on all processors, against one processor on crops in memory, in one run.

python benchmarks/throughput.py [--images 2000] [--photos 100] [--rounds 5] [--engine NAME …]
                                [--crops DIR] [--memory 2000 20000]

The crops are those of a folder, or the example faces, degraded, as JPEG. Each round takes an equal share of
the images, first through ``score_crops`` with one thread, then through a stream with all; the ratio is that
of the same round. Photographs, the examples with detection, go through a stream of one thread and one of all.
Beside each rate stands what an image takes of processors, in ms over all of them, which other programs on
the machine change less. Peak memory is that of a fresh process that streams so many. Linux only.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from fiqa import Scorer
from fiqa.degradations import DEGRADATIONS, degrade
from fiqa.engines import available_threads
from fiqa.examples import example_crops, example_paths
from fiqa.images import load
from fiqa.pipeline import sources
from fiqa.types import ImageArray

BATCH = 8
SEVERITIES = (0.0, 0.2, 0.4, 0.6)


def crops() -> ImageArray:
    """The example crops at four severities of every degradation."""
    return np.stack(
        [
            degrade(crop, kind, s, seed=0)
            for crop in example_crops()
            for kind in DEGRADATIONS
            for s in SEVERITIES
        ]
    )


def write(folder: Path) -> list[str]:
    """Each crop as a file; their paths."""
    paths = []
    for number, crop in enumerate(crops()):
        path = folder / f"{number:03}.jpg"
        Image.fromarray(crop).save(path, quality=95)
        paths.append(str(path))
    return paths


class Rate(NamedTuple):
    """Images a second, and milliseconds of all processors an image."""

    a_second: float
    processor_ms: float


def rate(work: Callable[[], int]) -> Rate:
    """The rate of what returns how many images it did."""
    begin, cpu = time.perf_counter(), time.process_time()
    n_images = work()
    return Rate(n_images / (time.perf_counter() - begin), (time.process_time() - cpu) * 1e3 / n_images)


def scored(scorer: Scorer, faces: ImageArray, n_images: int) -> int:
    """Score that many crops, a batch a call."""
    done = 0
    while done < n_images:
        batch = faces[done % len(faces) :][:BATCH]
        scorer.score_crops(batch)
        done += len(batch)
    return done


def streamed(scorer: Scorer, paths: list[str], n_images: int) -> int:
    """Score that many files in one stream."""
    n_ok = sum(one.ok for one in scorer.stream(islice(cycle(paths), n_images), BATCH, keep=()))
    assert n_ok == n_images
    return n_images


def compare(what: str, single: Callable[[int], int], wide: Callable[[int], int], share: int, n: int) -> None:
    """Print the rates of ``n`` rounds of ``share`` images, one after the other in each."""
    single(2 * BATCH), wide(2 * BATCH)  # compiles
    rounds = [(rate(lambda: single(share)), rate(lambda: wide(share))) for _ in range(n)]
    ratios = sorted(all_.a_second / one.a_second for one, all_ in rounds)
    (rate_1, ms_1), (rate_n, ms_n) = (
        (statistics.median(r.a_second for r in column), statistics.median(r.processor_ms for r in column))
        for column in zip(*rounds, strict=True)
    )
    print(
        f"{what}: {rate_1:.1f} a second on one processor ({ms_1:.1f} ms of it each), "
        f"{rate_n:.1f} from files on {available_threads()} ({ms_n:.1f} ms): {statistics.median(ratios):.2f} "
        f"times, {ratios[0]:.2f} to {ratios[-1]:.2f}",
        flush=True,
    )


def peak(engine: str, folder: str, n_images: int) -> None:
    """Print the peak memory of this process, in MB, once so many images were streamed."""
    streamed(Scorer(engine=engine, align="none"), sources.expand([folder]), n_images)
    status = Path("/proc/self/status").read_text(encoding="ascii")
    print(f"{int(status.partition('VmHWM:')[2].split()[0]) / 1024:.0f}")


def print_peaks(engine: str, folder: str, counts: list[int]) -> None:
    """Print the peak memory of fresh processes that stream so many images."""
    for n_images in counts:
        code = f"import throughput; throughput.peak({engine!r}, {folder!r}, {n_images})"
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
        print(f"{engine}: peak of {n_images:,} images {done.stdout.strip()} MB", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--photos", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--engine", nargs="*", default=["openvino", "onnxruntime"])
    parser.add_argument("--crops", type=Path, help="a folder of aligned crops, 112×112")
    parser.add_argument("--memory", nargs="*", type=int, default=[2000, 20_000])
    asked = parser.parse_args()
    photos, n = list(map(str, example_paths())), asked.rounds
    with tempfile.TemporaryDirectory(prefix="fiqa-throughput-") as folder:
        paths = write(Path(folder)) if asked.crops is None else sources.expand([asked.crops])
        faces = np.stack([load(path) for path in paths[:400]])
        for engine in asked.engine:
            one, all_ = Scorer(engine=engine, threads=1), Scorer(engine=engine)
            compare(
                f"{engine}, crops", partial(scored, one, faces), partial(streamed, all_, paths),
                asked.images // n, n,
            )  # fmt: skip
            if asked.photos:
                compare(
                    f"{engine}, photographs", partial(streamed, one, photos), partial(streamed, all_, photos),
                    asked.photos // n, n,
                )  # fmt: skip
            print_peaks(engine, str(asked.crops or folder), asked.memory)


if __name__ == "__main__":
    main()
