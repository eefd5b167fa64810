"""Bulk scoring of crops from files on all processors, against one processor on crops in memory, in one run.

python benchmarks/throughput.py [--images 2000] [--rounds 5] [--engine NAME …] [--memory 2000 20000]

The crops are the example faces, degraded, as JPEG. Each round takes an equal share of the images, first
through ``score_crops`` with one thread, then through a stream with all; the ratio is that of the same round.
Peak memory is that of a fresh process that streams so many. Linux only.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

import numpy as np
from PIL import Image

from fiqa import Scorer
from fiqa.degradations import DEGRADATIONS, degrade
from fiqa.engines import available_threads
from fiqa.examples import example_crops
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


def one_core(scorer: Scorer, faces: ImageArray, n_images: int) -> float:
    """Images a second of ``score_crops``."""
    begin, done = time.perf_counter(), 0
    while done < n_images:
        scorer.score_crops(faces[done % len(faces) :][:BATCH])
        done += min(BATCH, len(faces) - done % len(faces))
    return done / (time.perf_counter() - begin)


def streamed(scorer: Scorer, paths: list[str], n_images: int) -> float:
    """Images a second of a stream from files."""
    begin = time.perf_counter()
    n_ok = sum(one.ok for one in scorer.stream(islice(cycle(paths), n_images), BATCH, keep=()))
    assert n_ok == n_images
    return n_images / (time.perf_counter() - begin)


def peak(engine: str, folder: str, n_images: int) -> None:
    """Print the peak memory of this process, in MB, once so many images were streamed."""
    paths = sorted(map(str, Path(folder).glob("*.jpg")))
    streamed(Scorer(engine=engine, align="none"), paths, n_images)
    status = Path("/proc/self/status").read_text(encoding="ascii")
    print(f"{int(status.partition('VmHWM:')[2].split()[0]) / 1024:.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--engine", nargs="*", default=["openvino", "onnxruntime"])
    parser.add_argument("--memory", nargs="*", type=int, default=[2000, 20_000])
    asked = parser.parse_args()
    threads = available_threads(None)
    with tempfile.TemporaryDirectory(prefix="fiqa-throughput-") as folder:
        paths, faces = write(Path(folder)), crops()
        for engine in asked.engine:
            one, all_ = Scorer(engine=engine, threads=1), Scorer(engine=engine, align="none")
            one_core(one, faces, 4 * BATCH), streamed(all_, paths, 4 * BATCH)  # compiles
            share = asked.images // asked.rounds
            rates = [(one_core(one, faces, share), streamed(all_, paths, share)) for _ in range(asked.rounds)]
            ratios = sorted(wide / single for single, wide in rates)
            single, wide = (statistics.median(column) for column in zip(*rates, strict=True))
            print(
                f"{engine}: {single:.1f} crops/s on one processor, {wide:.1f} from files on {threads}: "
                f"{statistics.median(ratios):.2f} times ({ratios[0]:.2f} to {ratios[-1]:.2f})",
                flush=True,
            )
            for n_images in asked.memory:
                code = f"import throughput; throughput.peak({engine!r}, {folder!r}, {n_images})"
                command = [sys.executable, "-c", code]
                done = subprocess.run(
                    command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True
                )
                print(f"{engine}: peak of {n_images:,} images {done.stdout.strip()} MB", flush=True)


if __name__ == "__main__":
    main()
