"""A fresh process for each measurement: nothing that ran before is warm, loaded or fragmented."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from segbench.errors import WorkerError
from segbench.job import LARGEST_SIDE, Job
from segbench.stopwatch import Measurement


def run_worker(job: Job) -> Measurement:
    """Measure `job` in a process of its own.

    Raises:
        WorkerError: it refused the job (with its words), or died (with its last ones).
    """
    done = subprocess.run(
        [sys.executable, "-m", "segbench.worker"],
        input=json.dumps(job.to_json()),
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
        env={**os.environ, "OPENCV_IO_MAX_IMAGE_PIXELS": str(LARGEST_SIDE**2)},
    )
    try:
        answer = json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError) as error:
        raise WorkerError(
            f"the measuring process ended with code {done.returncode} and no result ({_last_words(done.stderr)}); "
            "a negative code is a signal: -9 out of memory, -11 a crash inside the interpreter"
        ) from error
    if "error" in answer:
        raise WorkerError(str(answer["error"]))
    return Measurement(**answer["result"])


def _last_words(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"
