"""Many values → mean and spread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np

from segbench.readers import whole
from segruntime.strict_json import Fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """`n` values. `std` is the sample's (n - 1), 0 for one value; percentiles are numpy's `linear`."""

    n: int
    mean: float
    std: float
    min: float
    p10: float
    p50: float
    p90: float
    max: float

    def to_json(self) -> dict[str, float]:
        return asdict(self)

    @classmethod
    def from_json(cls, f: Fields) -> Spread:
        """Of values from 0 to 1."""
        return cls(n=whole(f)("n"), **{one.name: f.number(one.name, 0, 1) for one in fields(cls) if one.name != "n"})


def spread(values: Sequence[float]) -> Spread:
    """Of at least one value."""
    data = np.asarray(values, np.float64)
    p10, p50, p90 = (float(v) for v in np.percentile(data, (10, 50, 90), method="linear"))
    return Spread(
        n=len(data),
        mean=float(data.mean()),
        std=float(data.std(ddof=1)) if len(data) > 1 else 0.0,
        min=float(data.min()),
        p10=p10,
        p50=p50,
        p90=p90,
        max=float(data.max()),
    )
