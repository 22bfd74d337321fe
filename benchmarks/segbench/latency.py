"""Latency of one model file: the measurement, its statistics and where they come from, as one JSON object."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from segbench.child import run_worker
from segbench.job import Job
from segbench.machine import describe_machine
from segbench.stopwatch import STAGES, Measurement
from segbench.summary import summarize

FORMAT = "segedge.segbench"
VERSION = 1
_UNSTEADY = 0.1  # std over mean, where pyperf starts to warn


def run_latency(job: Job) -> dict[str, Any]:
    """Measure `job` in a fresh process: `stages.NAME` holds the statistics in ms, `values_ms.NAME` every raw value.

    Raises:
        SegBenchError: see `segbench.errors`.
    """
    machine = describe_machine()
    measured = run_worker(job)
    stages = {name: summarize(measured.values_ms[name]).to_json() for name in STAGES}
    return _result(job, machine, measured, stages)


def _result(
    job: Job, machine: dict[str, Any], measured: Measurement, stages: dict[str, dict[str, float]]
) -> dict[str, Any]:
    facts = measured.to_json()
    values_ms = facts.pop("values_ms")
    facts["warnings"] = [*measured.warnings, *_unsteadiness(stages["alpha"])]
    return {
        "format": FORMAT,
        "version": VERSION,
        "measured_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        **facts,
        "warmup": job.warmup,
        "stages": stages,
        "frames_per_second": 1e3 / stages["alpha"]["p50_ms"],
        "machine": machine,
        "values_ms": values_ms,
    }


def _unsteadiness(alpha: dict[str, float]) -> list[str]:
    share = alpha["std_ms"] / alpha["mean_ms"]
    if share < _UNSTEADY:
        return []
    return [f"unsteady: the std of frame to alpha is {share:.0%} of its mean; close other programs, or raise --seconds"]
