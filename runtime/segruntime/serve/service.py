"""What all endpoints share."""

from __future__ import annotations

from dataclasses import dataclass

from segruntime.serve.backgrounds import Pictures
from segruntime.serve.budget import Budget
from segruntime.serve.limits import Limits
from segruntime.serve.metrics import Metrics
from segruntime.serve.pool import Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """`backgrounds`: the pictures that `/v1/composite` knows by name. `model`: the file's name, for people."""

    pool: Pool
    budget: Budget
    limits: Limits
    metrics: Metrics
    backgrounds: Pictures
    model: str
