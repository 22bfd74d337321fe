"""Latency of model files: each configuration checked, then measured in fresh processes, in random order."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any

import segruntime
from segbench.errors import WorkerError
from segbench.latency.matrix import Matrix, names
from segbench.machine.describe import describe_machine, with_sensors_after
from segbench.process.child import run_worker
from segbench.process.interrupt import Interrupt
from segbench.process.job import Job
from segbench.progress import Advance, no_progress
from segbench.results.latency import FORMAT, STAGES, VERSION, with_digest
from segbench.statistics.stability import stability
from segbench.statistics.summary import summarize

Complain = Callable[[str, WorkerError], None]
NO_GOLDEN = "the file holds no golden pictures: only that its mask is one was checked, not that it is the right one"


@dataclass(slots=True, kw_only=True)
class Entry:
    """One configuration: what the check found, then what each process measured."""

    name: str
    job: Job
    facts: dict[str, Any]
    processes: list[dict[str, Any]] = field(default_factory=list)


def refuse(_name: str, error: WorkerError) -> None:
    """For those who want all of their configurations or none."""
    raise error


def run_latency(matrix: Matrix, advance: Advance = no_progress, complain: Complain = refuse) -> dict[str, Any]:
    """Measure `matrix`; the result is that of `segbench.results.latency`, version 2.

    `complain` gets the name and the error of each configuration that cannot be measured, and is left out of the result; if
    it raises, so does this. Ctrl-C ends early: `interrupted`, with what was measured until then, perhaps nothing.

    Raises:
        SegBenchError: see `segbench.errors`.
    """
    machine, jobs = describe_machine(), matrix.jobs()
    total = len(jobs) * (1 + matrix.processes)
    run = _Run(lambda: advance(total), complain)
    with run.interrupt:
        entries = run.checked(jobs)
        run.measure(entries, matrix.order(len(entries)))
    return with_digest(
        {
            "format": FORMAT,
            "version": VERSION,
            "measured_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "segbench_version": segruntime.__version__,
            "machine": with_sensors_after(machine),
            "settings": _settings(matrix),
            "configurations": [_configuration(entry) for entry in entries if entry.processes],
            "interrupted": run.interrupt.asked,
        }
    )


class _Run:
    def __init__(self, advance: Callable[[], None], complain: Complain) -> None:
        self.interrupt = Interrupt()
        self._advance, self._complain = advance, complain

    def checked(self, jobs: tuple[Job, ...]) -> list[Entry]:
        """Those that can be measured."""
        found = []
        for name, job in zip(names(jobs), jobs, strict=True):
            facts = self._child("check", name, job)
            if facts is not None:
                found.append(Entry(name=name, job=job, facts=facts))
        for entry, name in zip(found, names([_as_found(entry) for entry in found]), strict=True):
            entry.name = name
        return found

    def measure(self, entries: list[Entry], order: list[int]) -> None:
        """Fill `processes`; an entry with a process that failed has none in the end, and is not tried again."""
        failed: set[int] = set()
        for k in order:
            if k in failed:
                continue
            entry = entries[k]
            started_at = round(time.time(), 3)
            measured = self._child("measure", entry.name, entry.job)
            if measured is not None and measured["values_ms"]:
                entry.processes.append({"started_at": started_at, **measured})
            elif not self.interrupt.asked:
                failed.add(k)
                entry.processes.clear()

    def _child(self, task: Any, name: str, job: Job) -> dict[str, Any] | None:
        if self.interrupt.asked:
            return None
        try:
            return run_worker(task, job, self.interrupt)
        except WorkerError as error:
            if not self.interrupt.asked:
                self._complain(name, error)
            return None
        finally:
            self._advance()


def _as_found(entry: Entry) -> Job:
    """The job with what the check found in place of what it left open."""
    model, frame = entry.facts["model"]["path"], entry.facts["frame"]
    return replace(entry.job, model=model, threads=entry.facts["threads"], width=frame["width"], height=frame["height"])


def _settings(matrix: Matrix) -> dict[str, Any]:
    base = matrix.base
    return {
        "runs": base.runs,
        "seconds": base.seconds,
        "warmup_runs": base.warmup_runs,
        "warmup_seconds": base.warmup_seconds,
        "processes": matrix.processes,
        "rate": base.rate,
        "least_mask_iou": base.least_mask_iou,
        "seed": matrix.seed,
    }


def _configuration(entry: Entry) -> dict[str, Any]:
    values = {
        name: [one["values_ms"][name] for one in entry.processes]
        for name in STAGES
        if name in entry.processes[0]["values_ms"]
    }
    stages = {name: summarize([v for part in parts for v in part]).to_json() for name, parts in values.items()}
    unproven = [NO_GOLDEN] if entry.facts["golden"] is None else []
    return {
        "name": entry.name,
        **entry.facts,
        "processes": [{**one, "warnings": [*unproven, *one["warnings"]]} for one in entry.processes],
        "stages": stages,
        "stability": {name: stability(parts) for name, parts in values.items()},
        "frames_per_second": 1e3 / stages["whole"]["p50_ms"],
    }
