"""`segbench profile` from the job to the result: masks checked, then the parts measured in fresh processes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import segruntime
from segbench.errors import OptionError, WorkerError
from segbench.machine.describe import describe_machine, with_sensors_after
from segbench.process.child import Task, run_worker
from segbench.process.interrupt import Interrupt
from segbench.process.job import Job
from segbench.profile.combine import combine
from segbench.progress import Advance, no_progress
from segbench.results.file import with_digest

FORMAT = "segedge.segbench.profile"
VERSION = 1
METHODS = {"tflite": "cut", "onnx": "profiler"}
NO_GOLDEN = "the file holds no golden pictures: only that its mask is one was checked, not that it is the right one"

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
            runs=_RUNS,
            seconds=share - warm_up,
            warmup_runs=_WARM_UP_RUNS,
            warmup_seconds=warm_up,
        )


def run_profile(wanted: ProfileJob, advance: Advance = no_progress) -> dict[str, Any]:
    """The profile as JSON, raw values included. Ctrl-C ends it early and keeps the processes that were done.

    Raises:
        SegBenchError: the model cannot be used, or not be taken apart. KeyboardInterrupt: no process was done.
    """
    machine, run = describe_machine(), _ProfileRun(wanted.job(), lambda: advance(1 + _PROCESSES))
    with run.interrupt:
        facts = run.child("check")
        processes = [one for one in (run.child("profile") for _ in range(_PROCESSES)) if one and one["whole_ms"]]
    if facts is None or not processes:
        raise KeyboardInterrupt
    found = combine(processes, facts["backend"])
    return with_digest(
        {
            "format": FORMAT,
            "version": VERSION,
            "measured_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "segbench_version": segruntime.__version__,
            "machine": with_sensors_after(machine),
            "settings": {"seconds": wanted.seconds, "processes": len(processes)},
            **facts,
            "method": METHODS[facts["backend"]],
            **found,
            "warnings": _warnings(machine, facts, found, processes),
            "interrupted": run.interrupt.asked,
        }
    )


class _ProfileRun:
    def __init__(self, job: Job, advance: Callable[[], None]) -> None:
        self.interrupt = Interrupt()
        self._job, self._advance = job, advance

    def child(self, task: Task) -> dict[str, Any] | None:
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


def _warnings(
    machine: dict[str, Any], facts: dict[str, Any], found: dict[str, Any], processes: list[dict[str, Any]]
) -> list[str]:
    said = dict.fromkeys(text for one in processes for text in one["warnings"])
    threads, cores, ratio = facts["threads"], machine["usable_cores"], found["sum_to_whole"]
    if facts["golden"] is None:
        said[NO_GOLDEN] = None
    if threads > cores:
        said[
            f"threads: {threads}, and this process may use {cores} core{'s' if cores > 1 else ''}; they wait for one another"
        ] = None
    if abs(ratio - 1) > _FAR:
        said[
            f"the parts come to {ratio:.2f} times the whole, expected 0.9 to 1.1: {_why(ratio, threads, found['clock'])}"
        ] = None
    return list(said)


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
