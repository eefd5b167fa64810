"""What the default detector finds by size and turn of a face, what it mistakes for one, and what it costs.

python benchmarks/detectors.py [--seeds N] [--photos FOLDER]

The scenes are made of the two example portraits, so their truth is known. --photos: upright photographs, any
number of folders deep, to count what is found in them as they are and turned.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from benchmarks.turned import Turned, composite, head_and_shoulders, hits
from PIL import Image

from fiqa import Scorer
from fiqa.engines import available_threads
from fiqa.examples import example_crops, example_paths
from fiqa.faces import DetectorSource, default_detector, face_around
from fiqa.faces.rotation import turn
from fiqa.images import load
from fiqa.pipeline.sources import expand
from fiqa.types import ROTATIONS, ImageArray

SIZES, ANGLES, SIDE = (40, 60, 80, 160), (0, 15, 30, 45, 60, 90), 480
REPEATS = 7


def scene(portrait: str, size: int, angle: float, *, noisy: bool, seed: int) -> tuple[ImageArray, Turned]:
    """A canvas with one portrait whose face is ``size`` pixels long, turned by ``angle`` to either side."""
    rng = np.random.default_rng(seed)
    canvas = np.full((SIDE, SIDE, 3), 128, dtype=np.uint8)
    if noisy:
        canvas = rng.integers(0, 256, canvas.shape, dtype=np.uint8)
    angle *= rng.choice((-1, 1))
    pixels, landmarks = head_and_shoulders(portrait)
    left, top, right, bottom = face_around(landmarks).box
    scale = size / max(right - left, bottom - top)
    photo = Image.fromarray(pixels).convert("RGBA")
    photo = photo.resize((round(photo.width * scale), round(photo.height * scale)), Image.Resampling.LANCZOS)
    lying = photo.rotate(angle, Image.Resampling.BICUBIC, expand=True)
    place = [
        int(rng.integers(min(0, free), max(1, free))) for free in (SIDE - lying.width, SIDE - lying.height)
    ]
    picture = Image.fromarray(canvas)
    picture.paste(lying, (place[0], place[1]), lying)
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    from_centre = (landmarks + 0.5) * scale - np.divide(photo.size, 2)
    turned = from_centre @ np.array([[cos, -sin], [sin, cos]]) + np.divide(lying.size, 2) + place - 0.5
    return np.asarray(picture), Turned(turned, 0)


def found_by_size_and_angle(sources: dict[str, DetectorSource], n_seeds: int) -> None:
    portraits = [str(path) for path in example_paths()]
    scenes = [(p, noisy, seed) for p in portraits for noisy in (False, True) for seed in range(n_seeds)]
    print(f"Found, of {len(scenes)} scenes each (2 portraits, plain and noisy canvas, {n_seeds} seeds)")
    for rotate, source in sources.items():
        print(f"rotate={rotate:<12}" + "".join(f"{angle:>6}°" for angle in ANGLES))
        n_false = 0
        for size in SIZES:
            cells = []
            for angle in ANGLES:
                n_found = 0
                for portrait, noisy, seed in scenes:
                    picture, truth = scene(portrait, size, angle, noisy=noisy, seed=seed)
                    found, false = hits(source.faces(picture), [truth])
                    n_found, n_false = n_found + len(found), n_false + false
                cells.append(n_found / len(scenes))
            print(f"  face of {size:>3} px   " + "".join(f"{cell:>7.0%}" for cell in cells))
        print(f"  finds that are no face, in all {len(SIZES) * len(ANGLES) * len(scenes)} scenes: {n_false}")


def found_in_composites(source: DetectorSource, n_seeds: int) -> None:
    counts = [hits(source.faces(picture), truth) for picture, truth in map(composite, range(n_seeds))]
    found, false = [len(one) for one, _ in counts], [false for _, false in counts]
    print(f"Composites of 30 faces turned by 90°, 180°, 270°, rotate=auto: found {found}, false {false}")


def found_in_photographs(sources: dict[str, DetectorSource], folder: Path) -> None:
    """Photographs that stand upright: a find in any other orientation is taken for false."""
    photos = [load(path) for path in expand([folder])]
    print(f"{len(photos)} photographs of {folder.name}: with a face, and finds that are not upright")
    for rotate, source in sources.items():
        for rotation in ROTATIONS:
            righting = (360 - rotation) % 360
            finds = [source.faces(turn(photo, rotation)) for photo in photos]
            true = sum(any(face.rotation == righting for face in faces) for faces in finds)
            false = sum(face.rotation != righting for faces in finds for face in faces)
            print(f"  rotate={rotate:<5} turned by {rotation:>3}°: with a face {true}, not upright {false}")


def moved_by_reduction(source: DetectorSource, folder: Path, n_photos: int = 40) -> None:
    """What a reduced size changes: photographs enlarged to 12 megapixels, with grain, as JPEGs."""
    full, reduced = Scorer(threads=1, detector=Whole(source)), Scorer(threads=1, detector=source)
    scores, grey, times = [], [], []
    for seed, path in enumerate(expand([folder])[:n_photos]):
        pixels = np.asarray(Image.fromarray(load(path)).resize((4000, 3000), Image.Resampling.BICUBIC))
        grain = np.random.default_rng(seed).normal(0, 6, (3000, 4000, 1))
        file = io.BytesIO()
        Image.fromarray(np.clip(pixels + grain, 0, 255).astype(np.uint8)).save(file, "JPEG", quality=92)
        before = time.perf_counter()
        one = reduced.score(file.getvalue())
        between = time.perf_counter()
        other = full.score(file.getvalue())
        times.append((between - before, time.perf_counter() - between))
        if one.score is not None and other.score is not None and one.crop is not None:
            scores.append(abs(one.score - other.score))
            grey.append(np.abs(one.crop.astype(float) - other.crop).mean())
    of_full = np.divide(*np.median(times, axis=0))
    print(
        f"{len(scores)} of {len(times)} photographs as JPEGs of 12 megapixels, decoded at a reduced size: "
        f"{of_full:.2f} of the time; the score moves by {np.mean(scores):.2f} points (95th percentile "
        f"{np.percentile(scores, 95):.2f}), the crop by {np.mean(grey):.1f} grey levels"
    )


class Whole:
    """The same source of faces, which wants the whole photograph."""

    def __init__(self, source: DetectorSource) -> None:
        self.faces = source.faces


def costs(source: DetectorSource) -> None:
    scorer = Scorer(threads=1, detector=source)
    crop = np.stack(example_crops())[:1]
    portrait = Image.fromarray(load(example_paths()[0]))
    print(
        f"Milliseconds on one thread, medians of {REPEATS}, and how many crops {scorer.engine} scores in them"
    )
    for size in ((250, 250), (512, 512), (4000, 3000)):
        picture = np.asarray(portrait.resize(size, Image.Resampling.BICUBIC))
        blank = np.full_like(picture, 180)
        work = (scorer.score_crops, crop), (source.faces, picture), (source.faces, blank)
        score, face, nothing = milliseconds(*(partial(function, argument) for function, argument in work))
        print(
            f"  {size[0]}×{size[1]}: scoring a crop {score:.1f}; detecting a face {face:.1f} = "
            f"{face / score:.1f} crops, in blank {nothing:.1f} = {nothing / score:.1f} crops; "
            f"blank ÷ face {nothing / face:.2f}"
        )
    file = io.BytesIO()
    portrait.resize((4000, 3000), Image.Resampling.BICUBIC).save(file, "JPEG", quality=92)
    jpeg = file.getvalue()
    decode, whole = milliseconds(partial(load, jpeg), partial(scorer.score, jpeg))
    print(f"  4000×3000 JPEG: decoding alone {decode:.0f}, score() from bytes to quality {whole:.0f}")


def milliseconds(*work: Callable[[], object]) -> list[float]:
    """Median time of each, taken in turn, so that a busy machine slows all alike."""
    times = np.zeros((REPEATS + 1, len(work)))
    for row in times:
        for i, function in enumerate(work):
            start = time.perf_counter()
            function()
            row[i] = time.perf_counter() - start
    return [float(median) * 1e3 for median in np.median(times[1:], axis=0)]  # the first round warms up


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--photos", type=Path)
    options = parser.parse_args()
    detector = default_detector()
    sources = {rotate: DetectorSource(detector, rotate=rotate) for rotate in ("none", "auto")}
    print(f"{detector!r}, {available_threads(None)} processors")
    costs(sources["none"])
    found_in_composites(sources["auto"], 5)
    found_by_size_and_angle(sources, options.seeds)
    if options.photos:
        found_in_photographs(sources, options.photos)
        moved_by_reduction(sources["none"], options.photos)


if __name__ == "__main__":
    main()
