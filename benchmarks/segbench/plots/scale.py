"""The axis of times that several configurations share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

SMALLEST_MS = 1e-5  # results are rounded to this; a logarithm needs more than nothing
_LOG_FROM = 3.0  # the slowest median over the fastest: beyond it, the fast ones are a line on a linear axis
_LONG_TAIL = 5.0  # the end of the axis over the fastest median: the same for a long tail
_FROM_ZERO = 0.3  # a linear axis that would begin below this share of its end begins at 0
_MARGIN = 0.03
_MOST_TICKS = 8
_MANTISSAS = (
    (1,),
    (1, 3),
    (1, 2, 5),
    (1, 1.5, 2, 3, 4, 5, 7),
    (1, 1.2, 1.4, 1.6, 1.8, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 9),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """From `low` to `high` in ms, straight or logarithmic."""

    low: float
    high: float
    is_log: bool

    @property
    def words(self) -> str:
        """What has to be said about it next to the axis; nothing of one that is straight and begins at 0."""
        if self.is_log:
            return ", logarithmic"
        return ", not from 0" if self.low > 0 else ""

    def drawn(self, values_ms: Floats) -> Floats:
        """Where values stand, 0 to 1 within the axis."""
        low, high, values = self.low, self.high, values_ms
        if self.is_log:
            low, high, values = math.log(low), math.log(high), np.log(np.maximum(values_ms, SMALLEST_MS))
        placed: Floats = (values - low) / (high - low)
        return placed

    def apply(self, axes: Any) -> None:
        """Set the axis of matplotlib's `axes` to it."""
        from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

        if self.is_log:
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(FixedLocator(log_ticks(self.low, self.high)))
            axes.xaxis.set_minor_locator(NullLocator())
        else:
            axes.xaxis.set_major_locator(MaxNLocator(_MOST_TICKS - 1))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.set_xlim(self.low, self.high)


def scale_for(groups: Sequence[Floats]) -> Scale:
    """An axis for the values of several configurations, each group at least one value in ms.

    It ends where the farthest tail does, or beyond its 99th percentile by half of the way from the median to that: one value
    that is ten times as large must not squeeze the others into a line. Who draws says how many lie beyond.
    """
    clipped = [np.maximum(values, SMALLEST_MS) for values in groups]
    medians = [float(np.median(values)) for values in clipped]
    low = min(float(values.min()) for values in clipped)
    high = max(_end(values) for values in clipped)
    is_log = max(medians) / min(medians) > _LOG_FROM or high / min(medians) > _LONG_TAIL
    if is_log:
        margin = (high / low) ** _MARGIN
        return Scale(low=low / margin, high=high * margin, is_log=True)
    if low < _FROM_ZERO * high:
        return Scale(low=0.0, high=high * (1 + _MARGIN), is_log=False)
    margin = _MARGIN * (high - low) or _MARGIN * high
    return Scale(low=low - margin, high=high + margin, is_log=False)


def log_ticks(low: float, high: float) -> list[float]:
    """Round numbers within: as fine as leaves at most eight, at the coarsest some of the powers of ten."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    best: list[float] = []
    for mantissas in _MANTISSAS:
        found = [m * 10.0**k for k in exponents for m in mantissas if low <= m * 10.0**k <= high]
        if len(found) > _MOST_TICKS:
            return best or found[:: math.ceil(len(found) / _MOST_TICKS)]
        best = found
    return best


def _end(values: Floats) -> float:
    middle, far = np.percentile(values, (50, 99))
    return min(float(values.max()), float(far + 0.5 * (far - middle)))
