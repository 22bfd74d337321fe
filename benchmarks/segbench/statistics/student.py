"""Quantiles of Student's t, so that segbench needs no scipy."""

from __future__ import annotations

import numpy as np

_STEPS = 20_000


def t_quantile(probability: float, freedom: float) -> float:
    """The value that t with `freedom` > 0 degrees of freedom stays below with `probability`, 0.5 to below 1.

    With t = sqrt(freedom) tan(x) the density becomes cos(x)^(freedom - 1), which is summed from 0 to pi / 2. At least four
    digits from one degree of freedom on.
    """
    if not 0.5 <= probability < 1 or not freedom > 0:
        raise ValueError(f"got {probability}, {freedom}; expected a probability of 0.5 to below 1 and freedom above 0")
    edges = np.linspace(0, np.pi / 2, _STEPS + 1)
    middles = (edges[:-1] + edges[1:]) / 2
    below = np.concatenate(([0], np.cumsum(np.cos(middles) ** (freedom - 1))))
    angle = np.interp(2 * probability - 1, below / below[-1], edges)
    return float(np.sqrt(freedom) * np.tan(angle))
