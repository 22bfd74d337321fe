"""`segbench profile` from the job to the result: masks checked, then the parts measured in fresh processes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from segbench.console import Advance, no_progress
from segbench.errors import OptionError, WorkerError
from segbench.latency.run import NO_GOLDEN
from segbench.latency.stopwatch import too_many_threads
from segbench.machine.describe import describe_machine, with_sensors_after
from segbench.process.child import Task, run_worker
from segbench.process.interrupt import Interrupt
from segbench.process.job import Effort, Job
from segbench.profile.combine import combine
from segbench.profile.part import Taken
from segbench.profile.result import FORMAT, VERSION, Profile, ProfileResult
from segbench.results.header import header_of, sealed
from segbench.results.subject import Subject
from segruntime.strict_json import Fields

METHODS = {"tflite": "cut", "onnx": "profiler"}

_PROCESSES = 5
_MOST_SECONDS = 3600.0
_WARM_UP, _MOST_WARM_UP_SECONDS = 0.2, 0.5  # a share of the time
_RUNS, _WARM_UP_RUNS = 3, 2
_FAR = 0.1  # of the whole


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileJob:
    """What to take apart, in `seconds` of running, all processes together, besides loading.

    One thread unless asked: between the parts of a .tflite threads sleep, and waking them takes longer than a small operator.
    """

    model: Path | None = None
    backend: str | None = None
    threads: int = 1
    seconds: float = 10.0

    def __post_init__(self) -> None:
        if type(self.seconds) not in (int, float) or not math.isfinite(self.seconds) or self.seconds <= 0:
            raise OptionError(f"seconds: got {self.seconds!r}, expected a number above 0")
        if self.seconds > _MOST_SECONDS:
            raise OptionError(f"seconds: got {self.seconds:g}, expected at most {_MOST_SECONDS:g}")
        self.job()

    def job(self) -> Job:
        """For one process. Raises OptionError: a value that cannot be used."""
        share = self.seconds / _PROCESSES
        warm_up = min(share * _WARM_UP, _MOST_WARM_UP_SECONDS)
        return Job(
            model=None if self.model is None else str(self.model),
            backend=self.backend,
            threads=self.threads,
            effort=Effort(
                runs=_RUNS,
                seconds=share - warm_up,
                warmup_runs=_WARM_UP_RUNS,
                warmup_seconds=warm_up,
                processes=_PROCESSES,
            ),
        )


def run_profile(wanted: ProfileJob, advance: Advance = no_progress) -> ProfileResult:
    """Ctrl-C ends it early and keeps the processes that were done.

    Raises:
        SegBenchError: the model cannot be used, or not be taken apart. KeyboardInterrupt: no process was done.
    """
    machine, run = describe_machine(), _ProfileRun(wanted.job(), lambda: advance(1 + _PROCESSES))
    with run.interrupt:
        checked = run.child("check")
        answers = [run.child("profile") for _ in range(_PROCESSES)]
    processes = [taken for one in answers if one is not None and (taken := Taken.from_json(one)).whole_ms]
    if checked is None or not processes:
        raise KeyboardInterrupt
    subject = Subject.from_json(checked)
    found = combine(processes, subject.library.backend)
    return sealed(
        ProfileResult(
            header=header_of(FORMAT, VERSION, with_sensors_after(machine)),
            seconds=wanted.seconds,
            processes=len(processes),
            subject=subject,
            method=METHODS[subject.library.backend],
            profile=found,
            warnings=tuple(_warnings(subject, found, processes)),
            interrupted=run.interrupt.asked,
        )
    )


class _ProfileRun:
    def __init__(self, job: Job, advance: Callable[[], None]) -> None:
        self.interrupt = Interrupt()
        self._job, self._advance = job, advance

    def child(self, task: Task) -> Fields | None:
        """None once Ctrl-C was pressed. Raises WorkerError."""
        if self.interrupt.asked:
            return None
        try:
            return run_worker(task, self._job, self.interrupt)
        except WorkerError:
            if self.interrupt.asked:
                return None
            raise
        finally:
            self._advance()


def _warnings(subject: Subject, found: Profile, processes: list[Taken]) -> list[str]:
    said = list(dict.fromkeys(text for one in processes for text in one.warnings))
    ratio = found.sum_to_whole
    if subject.golden is None:
        said.append(NO_GOLDEN)
    said += too_many_threads(subject.threads)
    if abs(ratio - 1) > _FAR:
        why = _why(ratio, subject.threads, found.clock)
        said.append(f"the parts come to {ratio:.2f} times the whole, expected 0.9 to 1.1: {why}")
    return said


def _why(ratio: float, threads: int, clock: str) -> str:
    if ratio < 1:
        if clock == "wall":
            return (
                "something else took the processor in long runs more often than in short ones; end it and profile again"
            )
        return "the parts find more of their values in the cache, or something else ran meanwhile; profile again"
    if threads > 1:
        return "threads sleep between the parts and have to be woken; profile with --threads 1"
    return "each cut costs microseconds, and what the library merges in the whole is apart here; short parts are shown too long"
