"""A process of its own for one job: the task as argument, the job as its one request, see `segbench.process.answers`."""

from __future__ import annotations

import sys
from collections.abc import Callable

from segbench.errors import SegBenchError
from segbench.latency.mask_check import check
from segbench.latency.stopwatch import measure
from segbench.process.answers import answer_requests
from segbench.process.job import Job
from segbench.profile.profile_task import take
from segruntime import SegRuntimeError

# the first thing that the process does, so that nothing of the runtime is there before the clock starts
START = """
import time
start = time.perf_counter()
import segruntime
import_ms = (time.perf_counter() - start) * 1e3
from segbench.worker import main
main(import_ms)
"""


def main(import_ms: float) -> None:
    """Do the task with each job."""
    tasks: dict[str, Callable[[Job], object]] = {
        "check": lambda job: check(job).to_json(),
        "measure": lambda job: measure(job, import_ms).to_json(),
        "profile": lambda job: take(job).to_json(),
    }
    task = tasks[sys.argv[1]]
    answer_requests(lambda request: task(Job.from_json(request)), (SegBenchError, SegRuntimeError))
