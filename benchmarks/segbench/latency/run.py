"""Latency of model files: each configuration checked, then measured in fresh processes, in random order."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from segbench.console import Advance, no_progress
from segbench.errors import WorkerError
from segbench.latency.matrix import Matrix, names
from segbench.machine.describe import describe_machine, with_sensors_after
from segbench.process.child import Task, run_worker
from segbench.process.interrupt import Interrupt
from segbench.process.job import Job
from segbench.results.header import header_of, sealed
from segbench.results.latency import FORMAT, VERSION, Configuration, LatencyResult, Measurement, Settings
from segbench.results.subject import Subject
from segruntime.strict_json import Fields

Complain = Callable[[str, WorkerError], None]
NO_GOLDEN = "the file holds no golden pictures: only that its mask is one was checked, not that it is the right one"


@dataclass(slots=True, kw_only=True)
class Entry:
    """One configuration: what the check found, then what each process measured."""

    name: str
    job: Job
    subject: Subject
    processes: list[Measurement] = field(default_factory=list)


def refuse(_name: str, error: WorkerError) -> None:
    """For those who want all of their configurations or none."""
    raise error


def run_latency(matrix: Matrix, advance: Advance = no_progress, complain: Complain = refuse) -> LatencyResult:
    """Measure `matrix`.

    `complain` gets the name and the error of each configuration that cannot be measured, and is left out of the result; if
    it raises, so does this. Ctrl-C ends early: `interrupted`, with what was measured until then, perhaps nothing.

    Raises:
        SegBenchError: see `segbench.errors`.
    """
    machine, jobs, base = describe_machine(), matrix.jobs(), matrix.base
    total = len(jobs) * (1 + base.effort.processes)
    run = _Run(lambda: advance(total), complain)
    with run.interrupt:
        entries = run.checked(jobs)
        run.measure(entries, matrix.order(len(entries)))
    return sealed(
        LatencyResult(
            header=header_of(FORMAT, VERSION, with_sensors_after(machine)),
            settings=Settings(effort=base.effort, rate=base.rate, least_mask_iou=base.least_mask_iou, seed=matrix.seed),
            configurations=tuple(_configuration(entry) for entry in entries if entry.processes),
            interrupted=run.interrupt.asked,
        )
    )


class _Run:
    def __init__(self, advance: Callable[[], None], complain: Complain) -> None:
        self.interrupt = Interrupt()
        self._advance, self._complain = advance, complain

    def checked(self, jobs: tuple[Job, ...]) -> list[Entry]:
        """Those that can be measured."""
        found = []
        for name, job in zip(names(jobs), jobs, strict=True):
            answer = self._child("check", name, job)
            if answer is not None:
                found.append(Entry(name=name, job=job, subject=Subject.from_json(answer)))
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
            answer = self._child("measure", entry.name, entry.job)
            if answer is not None and answer.raw("values_ms"):
                entry.processes.append(replace(Measurement.from_json(answer), started_at=started_at))
            elif not self.interrupt.asked:
                failed.add(k)
                entry.processes.clear()

    def _child(self, task: Task, name: str, job: Job) -> Fields | None:
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
    one = entry.subject
    return replace(entry.job, model=one.model.path, threads=one.threads, width=one.frame.width, height=one.frame.height)


def _configuration(entry: Entry) -> Configuration:
    unproven = (NO_GOLDEN,) if entry.subject.golden is None else ()
    processes = [replace(one, warnings=(*unproven, *one.warnings)) for one in entry.processes]
    return Configuration.of(entry.name, entry.subject, processes)
