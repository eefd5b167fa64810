"""Controlled degradations of a face crop: quality that is known by construction.

A quality measure should fall when a crop gets blurred, darker, noisier or covered. `degrade` applies one of
eight families at a severity in [0, 1], `ladder` gives the same face at rising severities, so a Spearman
correlation of score and severity (ideally −1) tests a measure without any recogniser or labels. The training
of the embedded model uses the same families, drawn at random.

Only NumPy and Pillow; everything is deterministic in (image, kind, severity, seed). The random parts (where
the occluder sits, the direction of the motion, the noise field) depend on the seed and not on the severity,
so along a ladder only the strength changes.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from .errors import UsageError, unknown

Image8 = NDArray[np.uint8]


def _blur(image: Image8, severity: float, rng: np.random.Generator) -> Image8:
    """Gaussian blur, standard deviation up to 1/20 of the shorter side (5.6 px of 112)."""
    sigma = severity * min(image.shape[:2]) / 20
    return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(sigma)))


def _downsample(image: Image8, severity: float, rng: np.random.Generator) -> Image8:
    """Resolution loss: shrink by a factor of up to 10 (112 → 11 px), then enlarge again, both bicubic."""
    height, width = image.shape[:2]
    factor = 10.0**severity
    small = (max(2, round(width / factor)), max(2, round(height / factor)))
    picture = Image.fromarray(image).resize(small, Image.Resampling.BICUBIC)
    return np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC))


def _noise(image: Image8, severity: float, rng: np.random.Generator) -> Image8:
    """Additive Gaussian sensor noise, standard deviation up to 80 grey levels, independent per channel."""
    field = rng.standard_normal(image.shape, dtype=np.float32)
    return _to_uint8(image + (80.0 * severity) * field)


def _jpeg(image: Image8, severity: float, rng: np.random.Generator) -> Image8:
    """JPEG compression, quality from 60 down to 2 (geometric, as the visible loss is), 4:2:0 chroma."""
    quality = max(2, round(60.0 * (2.0 / 60.0) ** severity))
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality, subsampling=2)
    return np.asarray(Image.open(buffer).convert("RGB"))


def _dark(image: Image8, severity: float, rng: np.random.Generator) -> Image8:
    """Under-exposure: light scaled down to 3 %, with a little read noise that the loss of signal reveals."""
    gain = 0.03**severity
    field = rng.standard_normal(image.shape, dtype=np.float32)
    return _to_uint8(image * gain + (3.0 * severity) * field)


def _overexposed(image: Image8, severity: float, rng: np.random.Generator) -> Image8:
    """Over-exposure: gain up to 4 and offset up to 60, clipped at white."""
    return _to_uint8(image * (1.0 + 3.0 * severity) + 60.0 * severity)


def _occlusion(image: Image8, severity: float, rng: np.random.Generator) -> Image8:
    """A uniform rectangle over up to 60 % of the area; its place and colour depend on the seed only."""
    height, width = image.shape[:2]
    v, u = rng.random(2)
    aspect = float(np.exp(rng.uniform(-0.3, 0.3)))
    colour = rng.integers(0, 256, 3)
    share = np.sqrt(0.6 * severity)
    h, w = min(height, round(height * share * aspect)), min(width, round(width * share / aspect))
    # The anchor moves with the size so that the larger rectangle always contains the smaller one.
    top, left = round(v * (height - h)), round(u * (width - w))
    out = image.copy()
    out[top : top + h, left : left + w] = colour
    return out


def _motion(image: Image8, severity: float, rng: np.random.Generator) -> Image8:
    """Linear motion blur, up to a quarter of the shorter side (28 px of 112), in a random direction."""
    angle = rng.uniform(0.0, np.pi)
    length = severity * min(image.shape[:2]) / 4
    steps = max(2, int(np.ceil(length)) + 1)
    height, width = image.shape[:2]
    margin = int(np.ceil(length / 2)) + 1
    padded = np.pad(image, ((margin, margin), (margin, margin), (0, 0)), mode="edge").astype(np.float32)
    total = np.zeros(image.shape, np.float32)
    for offset in np.linspace(-length / 2, length / 2, steps):
        y, x = offset * np.sin(angle) + margin, offset * np.cos(angle) + margin
        top, left = int(np.floor(y)), int(np.floor(x))
        fy, fx = np.float32(y - top), np.float32(x - left)
        for dy, wy in ((0, 1 - fy), (1, fy)):
            for dx, wx in ((0, 1 - fx), (1, fx)):  # bilinear: the shift is not a whole pixel
                if wy * wx > 0:
                    crop = padded[top + dy : top + dy + height, left + dx : left + dx + width]
                    total += (wy * wx) * crop
    return _to_uint8(total / steps)


_FAMILIES: dict[str, Callable[[Image8, float, np.random.Generator], Image8]] = {
    "blur": _blur,
    "downsample": _downsample,
    "noise": _noise,
    "jpeg": _jpeg,
    "dark": _dark,
    "overexposed": _overexposed,
    "occlusion": _occlusion,
    "motion": _motion,
}

DEGRADATIONS: tuple[str, ...] = tuple(_FAMILIES)
"""Names of the degradation families that `degrade` knows."""


def _to_uint8(image: NDArray[np.floating]) -> Image8:
    pixels: Image8 = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    return pixels


def degrade(image: Image8, kind: str, severity: float, seed: int = 0) -> Image8:
    """Return ``image`` degraded by ``kind`` at ``severity``.

    Args:
        image: RGB crop, uint8, (H, W, 3).
        kind: One of `DEGRADATIONS`.
        severity: Strength in [0, 1]: 0 returns an unchanged copy, 1 leaves hardly anything to recognise.
        seed: Chooses the random part (occluder, direction, noise field), independent of the severity.

    Returns:
        A new uint8 array of the same shape.

    Raises:
        UnknownName: ``kind`` is not a degradation.
        UsageError: ``severity`` is outside [0, 1], or ``image`` is not uint8 (H, W, 3).
    """
    if kind not in _FAMILIES:
        raise unknown("degradation", kind, DEGRADATIONS)
    if not 0.0 <= severity <= 1.0:
        raise UsageError(f"severity must be from 0 (the image as it is) to 1, but got {severity}")
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise UsageError(f"image must be uint8 of shape (H, W, 3), RGB, but got {image.dtype} {image.shape}")
    if severity == 0.0:
        return image.copy()
    return _FAMILIES[kind](image, float(severity), np.random.default_rng(seed))


def degrade_part(
    image: Image8, kind: str, severity: float, seed: int = 0
) -> tuple[Image8, NDArray[np.bool_]]:
    """Degrade one rectangle of ``image``, of 10 to 50 % of its area, and leave the rest as it is.

    ``occlusion`` fills the rectangle with one colour, whatever the severity; for the rest as in `degrade`.

    Returns:
        A new uint8 image of the same shape, and where it was degraded: bool (H, W).
    """
    spoilt = degrade(image, kind, severity, seed)
    rng = np.random.default_rng([seed, 1])
    height, width = image.shape[:2]
    area, aspect = rng.uniform(0.1, 0.5), np.exp(rng.uniform(-0.4, 0.4))
    h = min(height, round(height * np.sqrt(area * aspect)))
    w = min(width, round(width * np.sqrt(area / aspect)))
    top, left = rng.integers(0, height - h + 1), rng.integers(0, width - w + 1)
    inside = np.zeros((height, width), bool)
    inside[top : top + h, left : left + w] = True
    if kind == "occlusion":
        spoilt[:] = rng.integers(0, 256, 3)
    return np.where(inside[..., None], spoilt, image), inside


def ladder(image: Image8, kind: str, n: int = 6, seed: int = 0) -> tuple[NDArray[np.float64], Image8]:
    """The same face at ``n`` evenly rising severities from 0 (unchanged) to 1.

    Args:
        image: RGB crop, uint8, (H, W, 3).
        kind: One of `DEGRADATIONS`.
        n: Number of rungs, at least 2.
        seed: As in `degrade`; shared by all rungs.

    Returns:
        ``severities`` (n,) and ``images`` (n, H, W, 3) uint8. A good quality score falls along the rungs.

    Raises:
        UsageError: ``n`` is below 2; and as in `degrade`.
    """
    if n < 2:
        raise UsageError(f"a ladder must have at least 2 rungs, but got {n}")
    severities = np.linspace(0.0, 1.0, n)
    return severities, np.stack([degrade(image, kind, s, seed) for s in severities])
