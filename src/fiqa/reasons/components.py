"""Raw measures in → 0 to 100 as ISO/IEC 29794-5 maps them.

The formulas and constants are those of the standard's public reference implementation (BSI-OFIQ/OFIQ-Project
1.0.3, MIT). A name is a quality component as its output header writes it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from ..types import Measured


def measured(component: str, value: float, unit: str) -> Measured:
    """A raw value of a component with its scalar."""
    scalar = round(min(100.0, max(0.0, _MAPS[component](value))))
    return Measured(value=value, unit=unit, component=component, scalar=scalar)


def _sigmoid(x: float, middle: float, width: float) -> float:
    return 1 / (1 + math.exp(min(700.0, (middle - x) / width)))


def _between(x: float) -> float:
    """Both neither too dark nor too bright."""
    return 100 * _sigmoid(x, 0.2, 0.05) * (1 - _sigmoid(x, 0.8, 0.05))


def _rising(middle: float, width: float) -> Callable[[float], float]:
    return lambda x: 100 * _sigmoid(x, middle, width)


_MAPS: dict[str, Callable[[float], float]] = {
    "InterEyeDistance": _rising(70, 20),
    "HeadPoseRoll": lambda degrees: 100 * max(0.0, math.cos(math.radians(degrees))) ** 2,
    "SingleFacePresent": lambda share: 100 * (1 - share),
    "LeftwardCropOfTheFaceImage": _rising(0.9, 0.1),
    "RightwardCropOfTheFaceImage": _rising(0.9, 0.1),
    "IlluminationUniformity": lambda shared: 100 * shared**0.3,
    "LuminanceMean": _between,
    "LuminanceVariance": lambda v: 100 * math.sin(math.pi * 60 * v / (60 * v + 1)),
    "UnderExposurePrevention": lambda share: 120 * (0.832 - _sigmoid(share, 0.92, 0.05)),
    "OverExposurePrevention": lambda share: 1 / (share + 0.01),
    "DynamicRange": lambda bits: 12.5 * bits,
    "NaturalColour": lambda distance: 200 * (1 - _sigmoid(distance, 0, 10)),
}
COMPONENTS: tuple[str, ...] = tuple(_MAPS)
"""The components of the standard that are measured here."""
