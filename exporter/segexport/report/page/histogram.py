"""How many pixels are how far apart: counted in bins, and drawn as a stepped line for each file.

Bins are four to a decade from 10⁻⁷ to 1, and one for all that is smaller; both scales of the chart are logarithmic.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from segexport.report.page.values import brief, difference, percent, power_of_ten
from segexport.report.page.views import Counts, Mask

LOWEST_DECADE = -7
PER_DECADE = 4
EDGES = 10.0 ** (LOWEST_DECADE + np.arange(-LOWEST_DECADE * PER_DECADE + 1) / PER_DECADE)
BINS = len(EDGES)
_HUNDREDTH = 1 + PER_DECADE * (-2 - LOWEST_DECADE)  # the first bin above 0.01
_BELOW_ONE = 0.6  # decades between no pixel and one pixel, which a logarithm cannot place
_ABOVE = 0.15  # decades of air over the highest count


def spread(reference: Mask, other: Mask) -> Counts:
    """Pixels in each bin, `(BINS,) int64`; two masks `(h, w) float32, 0–1`. What is no number differs by 1."""
    differences = np.nan_to_num(np.abs(reference.astype(np.float64) - other), nan=1.0, posinf=1.0).ravel()
    bins = np.minimum(np.searchsorted(EDGES, differences, side="right"), BINS - 1)
    return np.bincount(bins, minlength=BINS).astype(np.int64)


def between(k: int) -> str:
    """Bin k in words."""
    return f"below {difference(EDGES[0])}" if k == 0 else f"{difference(EDGES[k - 1])} to {difference(EDGES[k])}"


@dataclass(frozen=True, slots=True)
class StepChart:
    """Where the lines, their scales and the pointer's tips lie in an SVG; of each file its counts, by name."""

    LEFT: ClassVar = 58
    RIGHT: ClassVar = 888
    TOP: ClassVar = 12
    BOTTOM: ClassVar = 272

    spreads: Mapping[str, Counts]

    @property
    def pixels(self) -> int:
        """Of each file."""
        return int(next(iter(self.spreads.values())).sum())

    @property
    def names(self) -> list[str]:
        return [brief(name) for name in self.spreads]

    @property
    def above_a_hundredth(self) -> dict[str, str]:
        """In words, by name."""
        above = {name: int(counts[_HUNDREDTH:].sum()) for name, counts in self.spreads.items()}
        return {
            name: f"{percent(count, 3, of=self.pixels)} above 0.01" if count else "no pixel above 0.01"
            for name, count in above.items()
        }

    @property
    def paths(self) -> list[str]:
        return [self._path(counts) for counts in self.spreads.values()]

    @property
    def levels(self) -> list[tuple[str, float]]:
        """Label and height of each power of ten, and of none."""
        powers = range(math.floor(self._decades + _ABOVE) + 1)
        return [("0", self.BOTTOM), *((_power(k), self._y(10.0**k)) for k in powers)]

    @property
    def decades(self) -> list[tuple[str, float]]:
        """Label and place of each power of ten."""
        return [(_power(LOWEST_DECADE + k), self._x(1 + k * PER_DECADE)) for k in range(-LOWEST_DECADE + 1)]

    @property
    def tips(self) -> list[tuple[float, float, str]]:
        """Left edge, width and text of each bin."""
        return [(self._x(k), round(self._x(k + 1) - self._x(k), 1), self._counts_in(k)) for k in range(BINS)]

    @property
    def rows(self) -> list[list[str]]:
        """Each bin with its counts."""
        return [[between(k), *(f"{int(counts[k]):,}" for counts in self.spreads.values())] for k in range(BINS)]

    @property
    def _decades(self) -> float:
        """Of the scale of counts, from 1 to the highest."""
        return math.log10(max(10, *(int(counts.max()) for counts in self.spreads.values())))

    def _x(self, edge: float) -> float:
        """Bin edge 0 to BINS → pixels."""
        return round(self.LEFT + (self.RIGHT - self.LEFT) * edge / BINS, 1)

    def _y(self, count: float) -> float:
        """A count → pixels; none is the bottom."""
        if count < 1:
            return self.BOTTOM
        share = (_BELOW_ONE + math.log10(count)) / (_BELOW_ONE + self._decades + _ABOVE)
        return round(self.BOTTOM - (self.BOTTOM - self.TOP) * share, 1)

    def _path(self, counts: Counts) -> str:
        steps = "".join(f"V{self._y(float(count))}H{self._x(k + 1)}" for k, count in enumerate(counts))
        return f"M{self._x(0)} {self.BOTTOM}{steps}V{self.BOTTOM}"

    def _counts_in(self, k: int) -> str:
        return "\n".join([between(k), *(f"{brief(name)}: {int(counts[k]):,}" for name, counts in self.spreads.items())])


def _power(exponent: int) -> str:
    return power_of_ten(exponent) if exponent else "1"
