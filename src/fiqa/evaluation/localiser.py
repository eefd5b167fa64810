"""Does a patch map show where the damage is? One rectangle of a crop is degraded, and the map asked for it.

The figure is an AUROC: the chance that a patch inside the rectangle gets a lower value than one outside; 1.0
is always, 0.5 is a map that says nothing. Rectangles cover the middle more often than the corners, so a map
that marks the same places in every crop is not at 0.5: read the figure against ``before``, its control, which
is the same patches on the crop as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..degradations import DEGRADATIONS, degrade_part
from ..errors import UsageError
from ..types import FloatArray, ImageArray

__all__ = ["Localisation", "localise"]

Maps = Callable[[ImageArray], Mapping[str, FloatArray]]


@dataclass(frozen=True)
class Localisation:
    """One method under each degradation: (n,) AUROC of each crop, in [0, 1], higher = better.

    after: with the rectangle degraded. before: the same rectangle on the undamaged crop.
    """

    after: Mapping[str, NDArray[np.float64]]
    before: Mapping[str, NDArray[np.float64]]

    @property
    def auroc(self) -> float:
        """Mean over crops and degradations."""
        return float(np.mean(list(self.after.values())))

    @property
    def control(self) -> float:
        """The same on the undamaged crops."""
        return float(np.mean(list(self.before.values())))


def localise(
    maps: Maps,
    crops: ImageArray,
    kinds: Sequence[str] = DEGRADATIONS,
    severity: float = 0.8,
    batch_size: int = 32,
    seed: int = 0,
) -> dict[str, Localisation]:
    """Degrade a rectangle of each crop and see whether the maps find it: {spec: Localisation}.

    Args:
        maps: ``Scorer.patch_maps`` or any function from uint8 (B, H, W, 3) RGB crops to
            {spec: (B, rows, columns)}, higher = more useful.
        crops: uint8 (n, H, W, 3), best clean ones.
        kinds: of ``fiqa.degradations.DEGRADATIONS``.
        severity: in [0, 1], see ``fiqa.degradations.degrade_part``.
        batch_size: crops a call of ``maps``.
        seed: of the rectangles and of what is random in a degradation.

    Raises:
        UsageError: crops of another shape, or none; UnknownName for a degradation.
    """
    crops = np.asarray(crops)
    if crops.ndim != 4 or not len(crops):
        raise UsageError(f"crops must be uint8 (n, H, W, 3) with n of at least 1, but got {crops.shape}")
    found: dict[str, tuple[dict[str, list[float]], dict[str, list[float]]]] = {}
    for start in range(0, len(crops), batch_size):
        some = crops[start : start + batch_size]
        clean = maps(some)
        for kind in kinds:
            parts = [degrade_part(c, kind, severity, seed + start + i) for i, c in enumerate(some)]
            damaged = maps(np.stack([image for image, _ in parts]))
            for spec in damaged:
                columns = found.setdefault(spec, ({}, {}))
                for column, values in zip(columns, (damaged[spec], clean[spec]), strict=True):
                    column.setdefault(kind, []).extend(
                        auroc(one, inside) for one, (_, inside) in zip(values, parts, strict=True)
                    )
    return {
        spec: Localisation(*({kind: np.array(v) for kind, v in column.items()} for column in columns))
        for spec, columns in found.items()
    }


def auroc(patch_map: FloatArray, inside: NDArray[np.bool_]) -> float:
    """The chance that a patch inside is lower than one outside; ties count half.

    ``patch_map`` is (rows, columns), ``inside`` a bool (H, W). Patches that the border of the region crosses
    are left out, unless none would remain: then those covered by half count as inside.
    """
    rows, columns = patch_map.shape
    height, width = inside.shape[0] // rows, inside.shape[1] // columns
    cut = inside[: rows * height, : columns * width].reshape(rows, height, columns, width)
    covered = cut.mean((1, 3))
    within = covered == 1 if (covered == 1).any() else covered >= 0.5
    low, high = patch_map[within][:, None], patch_map[covered == 0][None]
    if not low.size or not high.size:
        return 0.5
    return float(((low < high) + 0.5 * (low == high)).mean())
