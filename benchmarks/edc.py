"""How fast the EDC is: IJB-C's size at three FMR targets, and the ratio to a straight loop over the pairs.

python benchmarks/edc.py [--genuine 19557] [--impostor 15638932] [--loop 200000]
"""

from __future__ import annotations

import argparse
import math
import resource
import sys
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from fiqa.evaluation import edc, edc_many

FMRS = (1e-2, 1e-3, 1e-4)
Arrays = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]


def comparisons(n_genuine: int, n_impostor: int, n_images: int = 20000, seed: int = 0) -> Arrays:
    """Pair qualities that share images, as real ones do, and scores that depend on them."""
    rng = np.random.default_rng(seed)
    image = rng.random(n_images)
    n = n_genuine + n_impostor
    quality = np.minimum(image[rng.integers(0, n_images, n)], image[rng.integers(0, n_images, n)])
    is_genuine = np.zeros(n, np.bool_)
    is_genuine[rng.choice(n, n_genuine, replace=False)] = True
    similarity = rng.standard_normal(n)
    similarity *= 0.1
    similarity[is_genuine] += 0.2 + 0.6 * quality[is_genuine]
    return quality, similarity, is_genuine


def loop_edc(
    quality: list[float], similarity: list[float], is_genuine: list[bool], fmr: float
) -> list[float]:
    """The FNMR at each different quality, pair by pair: a sort, and one walk that counts what remains."""
    pairs = sorted(zip(quality, similarity, is_genuine, strict=True))
    impostor = sorted((s for _, s, g in pairs if not g), reverse=True)
    accepted = 0
    while accepted < len(impostor) and (accepted + 1) / len(impostor) <= fmr:
        accepted += 1
    threshold = impostor[accepted - 1] if accepted else math.nextafter(impostor[0], math.inf)
    remaining = sum(1 for _, _, g in pairs if g)
    errors = sum(1 for _, s, g in pairs if g and s < threshold)
    rates = []
    level = None
    for q, s, g in pairs:
        if not g:
            continue
        if q != level:
            rates.append(errors / remaining)
            level = q
        remaining -= 1
        errors -= s < threshold
    return [*rates, 0.0]


def timed(call: Callable[[], object]) -> tuple[float, object]:
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--genuine", type=int, default=19_557)
    parser.add_argument("--impostor", type=int, default=15_638_932)
    parser.add_argument("--loop", type=int, default=200_000, help="pairs given to the loop")
    arguments = parser.parse_args()

    data = comparisons(arguments.genuine, arguments.impostor)
    inputs = sum(x.nbytes for x in data) / 2**30
    print(
        f"{arguments.genuine:,} mated and {arguments.impostor:,} non-mated pairs, arrays of {inputs:.2f} GiB"
    )
    for name, options in (
        ("fixed, FNM-EDC", {}),
        ("fixed, FM-EDC", {"error": "fmr"}),
        ("recomputed", {"protocol": "recomputed"}),
    ):
        seconds, _ = timed(lambda options=options: edc_many(*data, fmrs=FMRS, **options))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"{name:16} at {len(FMRS)} FMRs: {seconds:6.2f} s, peak memory so far {peak:.2f} GiB")

    share = arguments.loop / (arguments.genuine + arguments.impostor)
    for n_genuine in (max(int(arguments.genuine * share), 1), arguments.loop // 2):
        small = comparisons(n_genuine, arguments.loop - n_genuine)
        lists = tuple(x.tolist() for x in small)
        slow, rates = timed(lambda lists=lists: [loop_edc(*lists, fmr) for fmr in FMRS])
        fast, curves = timed(lambda small=small: [edc(*small, fmr) for fmr in FMRS])
        if any(not np.allclose(a, b.fnmr, atol=1e-12) for a, b in zip(rates, curves, strict=True)):
            sys.exit("the loop and edc() disagree")
        print(
            f"{arguments.loop:,} pairs, {n_genuine:,} mated: loop {slow:.3f} s, edc {fast:.4f} s, "
            f"{slow / fast:.0f} times faster, same figures"
        )


if __name__ == "__main__":
    main()
