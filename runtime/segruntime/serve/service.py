"""What all endpoints share."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Event

from segruntime.serve.backgrounds import Pictures
from segruntime.serve.budget import Budget
from segruntime.serve.limits import Limits
from segruntime.serve.metrics import Metrics
from segruntime.serve.pool import Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """`backgrounds`: the pictures that `/v1/composite` knows by name. `model`: the file's name, for people.

    `leaving`: set once a stop was asked for; what comes until then is still answered (`Limits.drain_s`).
    """

    pool: Pool
    budget: Budget
    limits: Limits
    metrics: Metrics
    backgrounds: Pictures
    model: str
    leaving: Event = field(default_factory=Event)
