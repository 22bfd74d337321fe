"""What the service counts, as text for Prometheus."""

from __future__ import annotations

from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from segruntime.serve.budget import Budget
from segruntime.serve.pool import Pool

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_only_values: Any = disable_created_metrics
_BUCKETS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class Metrics:
    """One service's numbers; names only what the service has itself, so the number of series does not grow."""

    def __init__(self, pool: Pool, budget: Budget) -> None:
        _only_values()  # the time that each began is a second series, which the text format has no use for
        self._registry = CollectorRegistry()
        self.requests = Counter("segrun_requests", "Requests answered.", ["path", "status"], registry=self._registry)
        self.seconds = Histogram(
            "segrun_request_seconds",
            "From the head of a request to the end of its reply.",
            ["path"],
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self.frames = Counter(
            "segrun_frames",
            "Frames on sockets: answered, skipped for a newer one, or refused.",
            ["outcome"],
            registry=self._registry,
        )
        self.sockets = Gauge("segrun_sockets", "Open WebSockets.", registry=self._registry)
        for name, text, read in (
            ("segrun_workers", "Workers of the pool.", lambda: pool.size),
            ("segrun_workers_busy", "Workers that have a job.", lambda: pool.busy),
            ("segrun_waiting", "Requests and frames that wait for a worker.", lambda: pool.waiting),
            ("segrun_held_bytes", "Bodies and replies in memory.", lambda: budget.held_bytes),
        ):
            Gauge(name, text, registry=self._registry).set_function(read)
        ProcessCollector(registry=self._registry)

    def text(self) -> bytes:
        """All of them, in the text format 0.0.4."""
        return generate_latest(self._registry)
