"""Whether the reasons are right: on degraded faces, good ones, tilted ones, and one face lit otherwise.

python benchmarks/reasons.py [--crops FOLDER] [--photos FOLDER] [--faces N] [--seed S]

--crops: aligned 112×112 crops, any number of folders deep; --photos: photographs with a face. Of each, N are
drawn at random. Without them the two example portraits are taken.
"""

from __future__ import annotations

import argparse
import io
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from fiqa import Scorer
from fiqa.degradations import DEGRADATIONS, degrade
from fiqa.examples import example_crops, example_paths
from fiqa.faces import DetectorSource
from fiqa.faces.levelling import roll_again
from fiqa.images import load
from fiqa.pipeline.sources import expand
from fiqa.reasons import Diagnosis, diagnose
from fiqa.types import Face, ImageArray, Quality

BELONGS = {
    "blur": "sharpness",
    "downsample": "sharpness",
    "noise": "noise",
    "jpeg": "compression",
    "dark": "under_exposure",
    "overexposed": "over_exposure",
    "occlusion": "blank_area",
    "motion": "sharpness",
}
"""Degradation → the code that should be the first reason."""
SEVERITIES = (0.7, 0.85, 1.0)
STOPS, CONTRASTS, SHADOWS = (-3, -2, -1, 0, 1), (1.0, 0.5, 0.25), (1, 2, 3, 4)
ANGLES, CLOSE = (0, 10, 20, 30, 40), 3.0
GOOD = 80.0
QUALITIES, N_SAVED = (50, 30, 20, 15, 10, 5), 80
REPEATS = 15


def first_codes(crops: Sequence[ImageArray], kind: str, severity: float) -> Counter[str]:
    """How often each code is the first reason of degraded crops; "" for none."""
    found: Counter[str] = Counter()
    for seed, crop in enumerate(crops):
        reasons = diagnose(None, None, degrade(crop, kind, severity, seed=seed)).reasons
        found[reasons[0].code if reasons else ""] += 1
    return found


def ladders(crops: Sequence[ImageArray]) -> dict[str, list[float]]:
    """Degradation → share of the crops whose first reason is right, a number a severity."""
    print(f"First reason is right, {len(crops)} faces, at severity {', '.join(map(str, SEVERITIES))}")
    shares = {}
    for kind in DEGRADATIONS:
        counts = [first_codes(crops, kind, severity) for severity in SEVERITIES]
        shares[kind] = [count[BELONGS[kind]] / len(crops) for count in counts]
        others = Counter(code for count in counts for code in count.elements() if code != BELONGS[kind])
        print(
            f"  {kind:<12} {BELONGS[kind]:<15}" + "".join(f"{share:>7.1%}" for share in shares[kind]), end=""
        )
        print(
            "  else " + ", ".join(f"{code or 'none'} {n}" for code, n in others.most_common())
            if others
            else ""
        )
    return shares


def undegraded(name: str, qualities: Sequence[Quality]) -> tuple[float, float]:
    """Share with any reason, of good faces and of all that were scored."""
    scored = [quality for quality in qualities if quality.ok]
    out = []
    for which, some in (("good", [q for q in scored if (q.score or 0) >= GOOD]), ("all", scored)):
        codes = Counter(reason.code for quality in some for reason in quality.reasons)
        share = sum(bool(quality.reasons) for quality in some) / max(1, len(some))
        listed = ", ".join(f"{code} {n}" for code, n in codes.most_common())
        print(f"  {name}, {which} {len(some)}: any reason {share:.1%}  {listed}")
        out.append(share)
    return out[0], out[1]


def tilted(photos: Sequence[ImageArray], source: DetectorSource) -> dict[int, tuple[float, float]]:
    """Angle → share of photographs whose roll is within 3°, by the first look and with the second."""
    print(f"Roll within {CLOSE:g}° of what it was plus the turn, {len(photos)} photographs, to either side")
    shares = {}
    for angle in ANGLES:
        first, both = [], []
        for k, pixels in enumerate(photos):
            upright, turn = source.faces(pixels), angle if k % 2 else -angle
            if not upright:
                continue
            lying = np.asarray(Image.fromarray(pixels).rotate(-turn, Image.Resampling.BICUBIC))
            found = _at(source.faces(lying), upright[0], pixels.shape, turn)
            if found is None:
                first.append(False)
                both.append(False)
                continue
            again = roll_again(source, lying, found)
            expected = upright[0].roll + turn
            first.append(abs(found.roll - expected) <= CLOSE)
            both.append(abs((found.roll if again is None else again) - expected) <= CLOSE)
        shares[angle] = float(np.mean(first)), float(np.mean(both))
        print(f"  {angle:>3}°: first look {shares[angle][0]:.1%}, with the second {shares[angle][1]:.1%}")
    return shares


def saved_again(paths: Sequence[str], scorer: Scorer) -> None:
    """What JPEG compression of the whole photo costs its score, by the quality of the file."""
    before = [
        q for q in scorer.stream(paths, keep=()) if q.ok and (q.score or 0) >= GOOD and q.path and q.face
    ]
    print(f"Score lost when a photograph is saved as JPEG, {len(before)} photographs")
    for quality in QUALITIES:
        after = scorer.stream([(_as_jpeg(one.path, quality), [one.face]) for one in before], keep=())
        lost = [(one.score or 0) - (other.score or 0) for one, other in zip(before, after, strict=True)]
        median, most = np.percentile(lost, (50, 90))
        print(f"  quality {quality:>3}: median {median:.1f}, 90th percentile {most:.1f}")


def _as_jpeg(path: str | None, quality: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(load(path)).save(file, "JPEG", quality=quality)
    return file.getvalue()


def _at(faces: Sequence[Face], upright: Face, shape: Sequence[int], turn: float) -> Face | None:
    """The one of ``faces`` that is ``upright``, after a picture of this shape was turned clockwise."""
    cos, sin = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    centre = np.array([shape[1], shape[0]]) / 2
    middle = (upright.landmarks.mean(axis=0) - centre) @ np.array([[cos, sin], [-sin, cos]]) + centre
    near = [f for f in faces if np.linalg.norm(f.landmarks.mean(axis=0) - middle) < upright.eye_distance]
    return near[0] if near else None


def lit_otherwise(name: str, crop: ImageArray) -> None:
    """One face under other light: what the standard's means say, and what the reasons say."""
    print(f"  {name}")
    for stops in STOPS:
        _say(f"light {stops:+d} stops", diagnose(None, None, brighter(crop, stops)))
    for share in CONTRASTS[1:]:
        _say(f"contrast ×{share:g}", diagnose(None, None, flatter(crop, share)))
    for stops in SHADOWS:
        _say(f"one side −{stops} stops", diagnose(None, None, shaded(crop, stops)))


def _say(what: str, found: Diagnosis) -> None:
    mean, spread = (found.measures[name].scalar for name in ("luminance_mean", "dynamic_range"))
    codes = ", ".join(reason.code for reason in found.reasons) or "none"
    print(f"    {what:<20} LuminanceMean {mean:>3}  DynamicRange {spread:>3}  reasons: {codes}")


def brighter(crop: ImageArray, stops: float) -> ImageArray:
    """The crop with linear light times 2 to the power of ``stops``, clipped."""
    return _coded(_linear(crop) * 2.0**stops)


def flatter(crop: ImageArray, share: float) -> ImageArray:
    """The crop with every value nearer to the mean grey."""
    return np.clip(np.rint((crop - crop.mean()) * share + crop.mean()), 0, 255).astype(np.uint8)


def shaded(crop: ImageArray, stops: float) -> ImageArray:
    """The crop with its right side in shade, softly from the middle on."""
    side = np.clip((np.arange(112) - 48) / 16, 0, 1)[None, :, None]
    return _coded(_linear(crop) * 2.0 ** (-stops * side))


def _linear(crop: ImageArray) -> np.ndarray:
    code = crop / 255
    return np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)


def _coded(linear: np.ndarray) -> ImageArray:
    code = np.where(
        linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055
    )
    return np.clip(np.rint(255 * code), 0, 255).astype(np.uint8)


def by_brightness(crops: Sequence[ImageArray]) -> None:
    """Reasons of light in the darkest tenth of faces, whatever made them dark, and in the others."""
    found = [diagnose(None, None, crop) for crop in crops]
    order = np.argsort([one.measures["luminance_mean"].value for one in found])
    tenth = max(1, len(found) // 10)
    for name, some in (("darkest tenth", order[:tenth]), ("others", order[tenth:])):
        low = np.mean([(found[i].measures["luminance_mean"].scalar or 0) < 50 for i in some])
        codes = Counter(reason.code for i in some for reason in found[i].reasons)
        said = {
            code: f"{codes[code] / len(some):.1%}"
            for code in ("under_exposure", "uneven_light", "low_contrast")
        }
        print(f"  {name}: LuminanceMean < 50 in {low:.0%}; " + ", ".join(f"{c} {n}" for c, n in said.items()))


def cost(crops: Sequence[ImageArray]) -> float:
    """Time of one diagnosis ÷ time of scoring one crop, medians of interleaved runs on one thread."""
    scorer = Scorer(threads=1)
    batch = np.stack([crops[i % len(crops)] for i in range(8)])
    scorer.score_crops(batch)
    scores, reasons = [], []
    for _ in range(REPEATS):
        before = time.perf_counter()
        scorer.score_crops(batch)
        between = time.perf_counter()
        for crop in batch:
            diagnose(None, None, crop)
        scores.append((between - before) / len(batch))
        reasons.append((time.perf_counter() - between) / len(batch))
    ratio = float(np.median(reasons) / np.median(scores))
    each = f"{1000 * np.median(reasons):.2f} ms a face"
    print(f"Cost: {each}, {ratio:.1%} of scoring a crop on {scorer.engine}, one thread")
    return ratio


def _drawn(folder: Path, n: int, seed: int) -> list[str]:
    paths = [str(path) for path in expand([str(folder)])]
    chosen = np.random.default_rng(seed).permutation(len(paths))[:n]
    return [paths[i] for i in chosen]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--crops", type=Path, help="folder of aligned 112×112 crops")
    parser.add_argument("--photos", type=Path, help="folder of photographs")
    parser.add_argument("--faces", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    crops = [np.asarray(crop) for crop in example_crops()]
    if given.crops:
        crops = [load(path) for path in _drawn(given.crops, given.faces, given.seed)]
    paths = (
        _drawn(given.photos, given.faces, given.seed) if given.photos else [str(p) for p in example_paths()]
    )
    ladders(crops)
    print("Undegraded faces")
    scorer = Scorer(threads=1, reasons=True)
    undegraded("crops", scorer.qualities(np.stack(crops)))
    undegraded("photographs", list(scorer.stream(paths, keep=())))
    saved_again(paths[:N_SAVED], scorer)
    tilted([load(path) for path in paths], DetectorSource())
    print("The same face under other light")
    for path, crop in zip(example_paths(), example_crops(), strict=True):
        lit_otherwise(path.stem, crop)
    print(f"{len(crops)} faces by their own brightness")
    by_brightness(crops)
    cost(crops)


if __name__ == "__main__":
    main()
