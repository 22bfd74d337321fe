"""A process of its own for one job: the task as argument, the job as JSON on standard input, one JSON line as answer.

The answer is `{"result": …}` or `{"error": text}`. Everything that libraries print goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import IO, Any

from segbench.errors import SegBenchError
from segbench.latency.mask_check import check
from segbench.latency.stopwatch import measure
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
    """Read the job, do the task, answer."""
    tasks: dict[str, Callable[[Job], dict[str, Any]]] = {
        "check": lambda job: check(job).to_json(),
        "measure": lambda job: measure(job, import_ms).to_json(),
        "profile": lambda job: take(job).to_json(),
    }
    answer = _take_stdout()
    with answer:
        json.dump(_answer(tasks[sys.argv[1]], sys.stdin.read()), answer, allow_nan=False)
        answer.write("\n")


def _answer(task: Callable[[Job], dict[str, Any]], text: str) -> dict[str, Any]:
    try:
        return {"result": task(Job.from_json(json.loads(text)))}
    except json.JSONDecodeError as error:
        return {"error": f"job: not JSON ({error}), expected one JSON object on standard input"}
    except (SegBenchError, SegRuntimeError) as error:
        return {"error": str(error)}


def _take_stdout() -> IO[str]:
    """The real standard output, for the answer alone; file descriptor 1 becomes standard error."""
    sys.stdout.flush()
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answer
