"""Two levels: below the first nobody, above the second the person, a smooth step between."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from segruntime.arrays import Plane
from segruntime.errors import OptionError


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Alpha up to `low` becomes 0, from `high` on 1; `0 ≤ low < high ≤ 1`."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0 <= self.low < self.high <= 1:
            raise OptionError(f"bounds: got low={self.low}, high={self.high}, expected 0 ≤ low < high ≤ 1")


def smoothstep(x: npt.NDArray[np.float64], low: float, high: float) -> npt.NDArray[np.float64]:
    """0 up to `low`, 1 from `high`, `3t² - 2t³` between: the Hermite step of shading languages (Ebert et al. 1994)."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t))


def bounds_table(bounds: Bounds) -> Plane:
    """What each alpha of 0–255 becomes, `(256,) uint8`."""
    return np.asarray(np.rint(255 * smoothstep(np.arange(256) / 255, bounds.low, bounds.high)), np.uint8)


def apply_bounds(alpha: Plane, table: Plane, out: Plane) -> Plane:
    """Alpha `(H, W) uint8` through a `bounds_table`, written to `out`, which may be `alpha` itself."""
    return np.asarray(cv2.LUT(alpha, table, dst=out), np.uint8)
