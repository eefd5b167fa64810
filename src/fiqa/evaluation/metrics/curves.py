"""Error-versus-Discard Characteristic (EDC): what discarding by quality does to recognition errors.

Sources: Grother and Tabassi, "Performance of biometric quality measures", 2007; ISO/IEC 29794-1:2024; Schlett
et al., "Considerations on the evaluation of biometric quality assessment algorithms", 2023 (arXiv
2303.13294).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import UsageError

__all__ = ["Curve", "Error", "Protocol", "normalise"]

Protocol = Literal["fixed", "recomputed"]
Error = Literal["fnmr", "fmr"]
Rule = Literal["step", "trapezoid"]

_EPSILON = 1e-9  # 6 × 0.05 is 0.30000000000000004: a discard of 0.3 must find it
_RULE: dict[Protocol, Rule] = {"fixed": "step", "recomputed": "trapezoid"}


@dataclass(frozen=True, kw_only=True)
class Curve:
    """An EDC. Lower is better; a quality measure that knows nothing gives a level line.

    discard: (m,) share of the comparisons discarded, rising from 0. ``fixed``: one entry per different
        quality and the final 1.0; ``recomputed``: 0, 0.05 … 0.95.
    error_rate: (m,) the error rate of the comparisons that remain, a share in [0, 1].
    threshold: the score from which a comparison matches; ``recomputed``: (m,), one per step.
    error: ``"fnmr"`` over mated comparisons, or ``"fmr"`` over non-mated ones.
    fmr_target: the FMR that set the threshold.
    protocol: ``"fixed"`` or ``"recomputed"``.
    """

    discard: NDArray[np.float64]
    error_rate: NDArray[np.float64]
    threshold: float | NDArray[np.float64]
    error: Error
    fmr_target: float
    protocol: Protocol

    @property
    def fnmr(self) -> NDArray[np.float64]:
        """The false non-match rates (m,); of an FM-EDC there are none (UsageError)."""
        return self._rate("fnmr")

    @property
    def fmr(self) -> NDArray[np.float64]:
        """The false match rates (m,) of an FM-EDC; of an FNM-EDC there are none (UsageError)."""
        return self._rate("fmr")

    def _rate(self, wanted: Error) -> NDArray[np.float64]:
        if self.error != wanted:
            raise UsageError(
                f"this curve holds the {self.error}; ask edc(..., error={wanted!r}) for the {wanted}"
            )
        return self.error_rate

    def at(self, discard: float) -> float:
        """The error rate once the share ``discard`` in [0, 1] is gone: the last step at or below it."""
        if not 0.0 <= discard <= 1.0:
            raise UsageError(f"discard must be a share in [0, 1], but got {discard}")
        return float(self.error_rate[np.searchsorted(self.discard, discard + _EPSILON, side="right") - 1])

    def pauc(
        self, limit: float = 1.0, normalised: bool | Literal["best"] = False, rule: Rule | None = None
    ) -> float:
        """The area under the curve for discards from 0 to ``limit`` in (0, 1]; lower is better.

        normalised: False: the area itself. True: divided by the area of the level line, start error × limit,
            so 1.0 = no better than random. ``"best"``: with ``best(limit)`` subtracted from both, so 0.0 =
            the theoretical best, 1.0 = no better than random. NaN where the start error is 0: there is
            nothing to reduce.
        rule: ``"step"`` (each rate holds until the next discard) or ``"trapezoid"`` (straight lines);
            None: the protocol's own, step for ``fixed`` and trapezoid for ``recomputed``.

        A ``recomputed`` curve ends at 0.95, and so does its area.
        """
        limit = self._limit(limit)
        area = _area(self.discard, self.error_rate, limit, rule or _RULE[self.protocol])
        return float(normalise(area, self.error_rate[0], limit, normalised))

    def best(self, limit: float = 1.0) -> float:
        """The area to ``limit`` under the theoretical best, max(e₀ − x, 0): each discarded pair is an error.

        It is the line of Schlett et al. 2023, whose denominator stays the whole number of comparisons.
        """
        return float(_best(self.error_rate[:1], self._limit(limit))[0])

    def _limit(self, limit: float) -> float:
        if not 0.0 < limit <= 1.0:
            raise UsageError(f"the discard limit must be in (0, 1], such as 0.3, but got {limit}")
        return min(limit, float(self.discard[-1]))


def normalise(
    area: ArrayLike, start: ArrayLike, limit: float, kind: bool | Literal["best"]
) -> NDArray[np.float64]:
    """``Curve.pauc``'s normalisation of areas whose curves begin at the error rates ``start``, any shape."""
    if kind not in (False, True, "best"):
        raise UsageError(f"normalised must be False, True or 'best', but got {kind!r}")
    areas, starts = np.asarray(area, np.float64), np.asarray(start, np.float64)
    if kind is False:
        return areas
    least = _best(starts, limit) if kind == "best" else np.zeros_like(starts)
    level = starts * limit - least
    share: NDArray[np.float64] = np.divide(
        areas - least, level, out=np.full(areas.shape, np.nan), where=level > 0
    )
    return share


def _best(start: NDArray[np.floating], limit: float) -> NDArray[np.float64]:
    reach = np.minimum(start, limit)
    return np.asarray(start * reach - reach * reach / 2)


def _area(x: NDArray[np.float64], y: NDArray[np.float64], limit: float, rule: Rule) -> float:
    if rule not in ("step", "trapezoid"):
        raise UsageError(f"rule must be 'step' or 'trapezoid', but got {rule!r}")
    inside = x <= limit + _EPSILON
    x_in, y_in = x[inside], y[inside]
    if limit - x_in[-1] > _EPSILON:  # the limit lies between two points
        after = len(x_in)
        share = (limit - x_in[-1]) / (x[after] - x_in[-1])
        x_in = np.append(x_in, limit)
        y_in = np.append(y_in, y_in[-1] + share * (y[after] - y_in[-1]))
    heights = y_in[:-1] if rule == "step" else (y_in[1:] + y_in[:-1]) / 2
    return float(np.sum(np.diff(x_in) * heights))
