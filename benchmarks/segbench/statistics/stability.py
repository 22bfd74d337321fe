"""How far a figure may be trusted: spread, drift and outliers of its raw values, and a verdict in words.

spread    the standard deviation that a normal distribution with the same quartiles would have (IQR / 1.349), over the
          median. Limit 10 %: where `pyperf check` starts to warn. From quartiles, so that outliers count once, below.
drift     every process is cut into three parts in the order of measuring (one part below 30 values, none below 10): the
          slowest part's median over the fastest's, less 1; negative where it got faster. Limit 5 %, and more than chance
          makes of that many parts: six standard errors of a median (1.2533 sigma / sqrt n). Tukey's studentized range has
          its 99 % point at 4.1 for 3 parts and at 5.5 for 15; the rest is room for a sigma estimated from few values.
outliers  the share of values beyond Tukey's fences, 1.5 IQR outside the quartiles (Exploratory Data Analysis, 1977), and
          at least 5 % of the median away from the quartile: an outlier that nobody would notice is none. Limit 10 %.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from segruntime.strict_json import Fields

Verdict = Literal["steady", "drifting", "noisy", "too few values"]
Values = npt.NDArray[np.float64]

LEAST_VALUES = 20
SPREAD_LIMIT = 0.10
DRIFT_LIMIT = 0.05
OUTLIER_LIMIT = 0.10
_PARTS = 3
_LEAST_IN_PART = 10
_IQR_OF_NORMAL = 1.349
_ERROR_OF_MEDIAN = 1.2533
_ERRORS_BY_CHANCE = 6.0
_FENCE = 1.5
_NOTICED = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Stability:
    """`verdict`, the same with its reasons in `words`, and `spread`, `drift`, `outliers` as shares."""

    verdict: str
    words: str
    spread: float
    drift: float
    outliers: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, f: Fields) -> Stability:
        return cls(
            verdict=f.string("verdict"),
            words=f.string("words"),
            spread=f.number("spread"),
            drift=f.number("drift"),
            outliers=f.number("outliers"),
        )


def stability(values_per_process: Sequence[Sequence[float]]) -> Stability:
    """How far the values may be trusted.

    Args:
        values_per_process: for each process, in the order they were started, its raw values in the order they were measured;
            any unit, none negative.

    Raises:
        ValueError: there is no value.
    """
    processes = [np.asarray(values, np.float64) for values in values_per_process if len(values)]
    if not processes:
        raise ValueError("stability: got no values, expected at least one process with at least one value")
    every = np.concatenate(processes)
    spread, (drift, by_chance), outliers = _spread(every), _drift(processes), _outliers(every)
    verdict = _verdict(len(every), spread, abs(drift) > max(DRIFT_LIMIT, by_chance), outliers)
    words = _words(verdict, len(every), spread, drift, outliers)
    return Stability(verdict=verdict, words=words, spread=spread, drift=drift, outliers=outliers)


def _verdict(count: int, spread: float, is_drifting: bool, outliers: float) -> Verdict:
    if count < LEAST_VALUES:
        return "too few values"
    if is_drifting:
        return "drifting"
    return "noisy" if spread >= SPREAD_LIMIT or outliers >= OUTLIER_LIMIT else "steady"


def _words(verdict: Verdict, count: int, spread: float, drift: float, outliers: float) -> str:
    figures = f"spread {spread:.0%}, drift {drift:+.0%}, outliers {outliers:.0%}"
    if verdict == "too few values":
        return f"too few values: {count}, at least {LEAST_VALUES} are needed to tell; raise --runs or --seconds"
    if verdict == "drifting":
        way = "slower" if drift > 0 else "faster"
        return f"drifting: got {abs(drift):.0%} {way} while measuring ({figures}); let it cool or warm up longer"
    if verdict == "noisy":
        return f"noisy: {figures}; close other programs, or raise --seconds"
    return f"steady: {figures}"


def _spread(values: Values) -> float:
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
    return float((high - low) / _IQR_OF_NORMAL / middle) if middle > 0 else 0.0


def _drift(processes: Sequence[Values]) -> tuple[float, float]:
    """Signed drift, and how much of it chance alone would make; 0 and 0 with a single part."""
    parts = [part for values in processes for part in _parts(values)]
    if len(parts) < 2:
        return 0.0, 0.0
    medians = np.array([np.median(part) for part in parts])
    slowest, fastest = int(medians.argmax()), int(medians.argmin())
    if medians[fastest] <= 0:
        return 0.0, 0.0
    size = float(medians[slowest] / medians[fastest] - 1)
    # the spread within the parts: that of all values holds the drift itself
    within = float(np.median([_spread(part) for part in parts]))
    by_chance = _ERRORS_BY_CHANCE * _ERROR_OF_MEDIAN * within / math.sqrt(min(len(part) for part in parts))
    return (size if slowest >= fastest else -size) + 0.0, by_chance  # no negative zero


def _parts(values: Values) -> list[Values]:
    """Thirds of a process; the whole of it where a third had too few values, nothing where even the whole has."""
    if len(values) < _LEAST_IN_PART:
        return []
    return list(np.array_split(values, _PARTS)) if len(values) >= _PARTS * _LEAST_IN_PART else [values]


def _outliers(values: Values) -> float:
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
    reach = max(_FENCE * (high - low), _NOTICED * middle)
    return float(np.mean((values < low - reach) | (values > high + reach)))
