"""Differences of probability counted in bins: four to a decade from 10⁻⁷ to 1, and one for all that is smaller."""

from __future__ import annotations

import numpy as np

from segexport.report.page.figures import difference
from segexport.report.page.views import Counts, Mask

LOWEST_DECADE = -7
PER_DECADE = 4
EDGES = 10.0 ** (LOWEST_DECADE + np.arange(-LOWEST_DECADE * PER_DECADE + 1) / PER_DECADE)
BINS = len(EDGES)


def spread(reference: Mask, other: Mask) -> Counts:
    """Pixels in each bin, `(BINS,) int64`; two masks `(h, w) float32, 0–1`. What is no number differs by 1."""
    differences = np.nan_to_num(np.abs(reference.astype(np.float64) - other), nan=1.0, posinf=1.0).ravel()
    bins = np.minimum(np.searchsorted(EDGES, differences, side="right"), BINS - 1)
    return np.bincount(bins, minlength=BINS).astype(np.int64)


def between(k: int) -> str:
    """Bin k in words."""
    return f"below {difference(EDGES[0])}" if k == 0 else f"{difference(EDGES[k - 1])} to {difference(EDGES[k])}"
