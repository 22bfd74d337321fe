"""A fresh process for each measurement: nothing that ran before is warm, loaded or fragmented."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Literal

from segbench.errors import WorkerError
from segbench.process.interrupt import Interrupt
from segbench.process.job import LARGEST_SIDE, Job
from segbench.worker import START
from segruntime.strict_json import Fields

Task = Literal["check", "measure", "profile"]


def run_worker(task: Task, job: Job, interrupt: Interrupt | None = None) -> Fields:
    """Do `task` in a process of its own; → the JSON of what it found; `interrupt` learns which, to end it early.

    Raises:
        WorkerError: it refused the job (with its words), or died (with its last ones).
    """
    child = subprocess.Popen(
        [sys.executable, "-c", START, task],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, "OPENCV_IO_MAX_IMAGE_PIXELS": str(LARGEST_SIDE**2)},
    )
    with child:
        if interrupt is not None:
            interrupt.child = child
        try:
            stdout, stderr = child.communicate(json.dumps(job.to_json()))
        finally:
            child.kill()  # where we are ended ourselves, so is the child; of one that is done it does nothing
    return _result(stdout, stderr, child.returncode)


def _result(stdout: str, stderr: str, code: int) -> Fields:
    try:
        answer = json.loads(stdout.splitlines()[-1])
    except (ValueError, IndexError) as error:
        raise WorkerError(
            f"the measuring process ended with code {code} and no result ({_last_words(stderr)}); "
            "a negative code is a signal: -9 out of memory, -11 a crash inside the interpreter"
        ) from error
    if "error" in answer:
        raise WorkerError(str(answer["error"]))
    return Fields(answer["result"])


def _last_words(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"
