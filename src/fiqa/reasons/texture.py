"""A crop in → how blurred, noisy, compressed or blank it is, out.

All are measures of our own: the standard's need networks, or vary with the face's size in the photo.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..types import CROP_SIZE, ImageArray, Measured

_GRID = 8  # pixels a side of a JPEG block
_FLAT = 2  # grey levels within 3×3 pixels, in each channel, of a place without structure
_HALF = 5  # window of the second blur


def measure_texture(crop: ImageArray, luma: NDArray[np.float32]) -> dict[str, Measured]:
    """Measures of a crop (112, 112, 3) uint8 RGB with its luma (112, 112)."""
    return {
        "block_steps": Measured(value=block_steps(luma), unit="times other steps"),
        "blank_area": Measured(value=blank_area(crop), unit="share of the crop"),
        "noise": Measured(value=noise(luma), unit="grey levels"),
        "blur": Measured(value=blur(luma), unit="of 1"),
    }


def blur(luma: NDArray[np.float32]) -> float:
    """How little a second blur takes away, from 0 (sharp) to 1, on the axis where it takes less.

    F. Crété et al., The blur effect, SPIE 6492, 2007, on the crop at half its size: that makes it depend
    little on the face's size in the photo.
    """
    rows = luma[::2] + luma[1::2]
    small = (rows[:, ::2] + rows[:, 1::2]) / 4  # (56, 56)
    return max(_lost_twice(small), _lost_twice(small.T))


def _lost_twice(luma: NDArray[np.floating]) -> float:
    """Of (56, 56), down the columns."""
    total = np.cumsum(np.pad(luma, ((1, 0), (0, 0))), axis=0, dtype=np.float32)
    blurred = (total[_HALF:] - total[:-_HALF]) / _HALF
    before = np.abs(np.diff(luma[_HALF // 2 : -(_HALF // 2)], axis=0))
    after = np.abs(np.diff(blurred, axis=0))
    steps = float(before.sum())
    return 1.0 if steps == 0 else 1 - float(np.maximum(before - after, 0).sum()) / steps


def noise(luma: NDArray[np.float32]) -> float:
    """Standard deviation of the noise, in grey levels, from the second differences of both axes.

    J. Immerkær, Fast noise variance estimation, CVIU 64(2), 1996, with the median for the mean, so that
    edges count little.
    """
    down = luma[:-2] - 2 * luma[1:-1] + luma[2:]
    both = np.abs(down[:, :-2] - 2 * down[:, 1:-1] + down[:, 2:]).reshape(-1)
    middle = len(both) // 2
    return float(np.partition(both, middle)[middle]) / (6 * 0.6745)


def block_steps(luma: NDArray[np.float32]) -> float:
    """Mean step across the crop's own 8-pixel grid ÷ mean step elsewhere; 1 where nothing was compressed."""
    on = off = 0.0
    for steps in (np.abs(np.diff(luma, axis=1)), np.abs(np.diff(luma, axis=0)).T):
        columns = steps.mean(axis=0)  # (111,)
        edges = columns[_GRID - 1 :: _GRID]
        on += float(edges.mean())
        off += float((columns.sum() - edges.sum()) / (len(columns) - len(edges)))
    return on / off if off > 0.01 else 1.0


def blank_area(crop: ImageArray) -> float:
    """Share of a crop (112, 112, 3) that its largest connected place without structure has."""
    planes = np.ascontiguousarray(crop.transpose(2, 0, 1))  # (3, 112, 112)
    low, high = _of_three(np.minimum, planes), _of_three(np.maximum, planes)
    steps = (high - low).max(axis=0)  # (110, 110)
    flat: NDArray[np.bool_] = steps <= _FLAT
    return largest_area(flat) / flat.size


def _of_three(least: np.ufunc, planes: ImageArray) -> ImageArray:
    """The least or greatest of each 3×3 pixels: (3, 112, 112) to (3, 110, 110)."""
    rows = least(least(planes[:, :-2], planes[:, 1:-1]), planes[:, 2:])
    whole: ImageArray = least(least(rows[..., :-2], rows[..., 1:-1]), rows[..., 2:])
    return whole


def largest_area(inside: NDArray[np.bool_]) -> int:
    """Pixels of the largest part of a mask that hangs together over sides."""
    edges = np.diff(np.pad(inside, ((0, 0), (1, 1))).view(np.int8), axis=1)
    rows, starts = np.nonzero(edges == 1)
    ends = np.nonzero(edges == -1)[1]
    runs = list(zip(rows.tolist(), starts.tolist(), ends.tolist(), strict=True))
    parents = list(range(len(runs)))
    sizes = [end - start for _, start, end in runs]

    def root(run: int) -> int:
        while parents[run] != run:
            parents[run] = run = parents[parents[run]]
        return run

    above = 0  # the first run of the row above that may touch this one or a later one
    for run, (row, start, end) in enumerate(runs):
        while runs[above][0] < row - 1 or (runs[above][0] == row - 1 and runs[above][2] <= start):
            above += 1
        other = above
        while runs[other][0] == row - 1 and runs[other][1] < end:
            top, own = root(other), root(run)
            if top != own:
                parents[own] = top
                sizes[top] += sizes[own]
            other += 1
    return max(sizes, default=0)


def direction(luma: NDArray[np.float32]) -> float:
    """How much more of the structure one direction has than another, as log10 of their power.

    Of eight sectors of the spectrum between 0.08 and 0.3 cycles a pixel: motion empties some of them, an
    unfocused lens all alike.
    """
    power = np.abs(np.fft.rfft2((luma - luma.mean()) * _WINDOW)) ** 2
    sums = np.bincount(_SECTOR[_BAND], weights=power[_BAND], minlength=8)
    return float(np.log10((sums.max() + 1) / (sums.min() + 1)))


_WINDOW = np.outer(np.hanning(CROP_SIZE), np.hanning(CROP_SIZE)).astype(np.float32)
_DOWN, _ACROSS = np.fft.fftfreq(CROP_SIZE)[:, None], np.fft.rfftfreq(CROP_SIZE)[None]
_RADIUS = np.hypot(_DOWN, _ACROSS)
_BAND = (_RADIUS >= 0.08) & (_RADIUS <= 0.3)
_SECTOR = ((np.arctan2(_DOWN, _ACROSS) + np.pi / 2) / np.pi * 8).astype(int) % 8
