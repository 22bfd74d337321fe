"""Raw values → the few numbers that people read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np

from segbench.readers import amount, whole
from segruntime.strict_json import Fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """`n` values in milliseconds. `std_ms` is the sample's (n - 1), 0 for one value."""

    n: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    mean_ms: float
    std_ms: float
    min_ms: float
    max_ms: float

    def to_json(self) -> dict[str, float]:
        return asdict(self)

    @classmethod
    def from_json(cls, f: Fields) -> Summary:
        return cls(n=whole(f)("n"), **{one.name: amount(f)(one.name) for one in fields(cls) if one.name != "n"})


def summarize(values_ms: Sequence[float]) -> Summary:
    """Summarise at least one value.

    Percentiles are numpy's `method="linear"`: the value at position `(n - 1) * q` of the sorted ones, straight lines between
    neighbours (Hyndman & Fan 1996, type 7). With fewer than 100 values p99 lies between the two largest.
    """
    values = np.asarray(values_ms, np.float64)
    p50, p90, p99 = (float(v) for v in np.percentile(values, (50, 90, 99), method="linear"))
    return Summary(
        n=len(values),
        p50_ms=p50,
        p90_ms=p90,
        p99_ms=p99,
        mean_ms=float(values.mean()),
        std_ms=float(values.std(ddof=1)) if len(values) > 1 else 0.0,
        min_ms=float(values.min()),
        max_ms=float(values.max()),
    )
