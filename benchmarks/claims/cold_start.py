"""How long a fresh process takes: imports, the first mask of the bundled int8 model, and the memory it needs.

python benchmarks/claims/cold_start.py [--repeats N] [--json]

Every repeat starts one process of each kind, in turn, and differences are taken within a repeat. The clock is the system's
monotonic one, which parent and child share: from before the start of the process to the moment the child is done. Bytecode is
compiled once before, into a temporary folder, as an installed package has it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np

from claim import Result, claim, medians, not_met
from segbench.frames.drawn import drawn_frame

NEEDED, RUNTIME, MASK = "import numpy, cv2", "import segruntime", "first mask"
IMPORT_GOAL_MS, MASK_GOAL_MS, MEMORY_GOAL_MB = 50.0, 600.0, 160.0
SAY_WHEN = "; import time; print(time.monotonic())"
FIRST_MASK = """
import sys, time
import numpy, segruntime
frame = numpy.load(sys.argv[1])
segmenter = segruntime.load(backend=sys.argv[2])
alpha = segmenter.alpha(frame)
print(time.monotonic())
from segbench.machine.describe import peak_memory_bytes
print(peak_memory_bytes())
from segbench.latency.mask_check import check_mask
check_mask(alpha, segmenter.path, "the drawn frame")
"""


def measure(repeats: int, python: str = sys.executable, backend: str = "tflite") -> Result:
    """Raw values of every repeat, and their medians against the goals; `python`: the interpreter that is measured."""
    with tempfile.TemporaryDirectory() as folder:
        frame = Path(folder) / "frame.npy"
        np.save(frame, drawn_frame(1280, 720))
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        environment["PYTHONPYCACHEPREFIX"] = folder
        programs = {NEEDED: [NEEDED + SAY_WHEN], RUNTIME: [RUNTIME + SAY_WHEN], MASK: [FIRST_MASK, str(frame), backend]}
        for program in programs.values():
            _start(python, program, environment)  # compiles, and warms the disk's cache for all of them
        rows = [
            {name: _start(python, program, environment) for name, program in programs.items()} for _ in range(repeats)
        ]
    times_ms = [{name: row[name][0] for name in programs} for row in rows]
    median_ms = medians(times_ms)
    extra_ms = [row[RUNTIME] - row[NEEDED] for row in times_ms]
    memory_mb = [row[MASK][1] / 1e6 for row in rows]
    return {
        "repeats": repeats,
        "median_ms": median_ms,
        "measured": [
            _against("segruntime's import on top of numpy and cv2", float(np.median(extra_ms)), IMPORT_GOAL_MS, "ms"),
            _against("start of the process to the first mask", median_ms[MASK], MASK_GOAL_MS, "ms"),
            _against("peak memory of that process", float(max(memory_mb)), MEMORY_GOAL_MB, "MB"),
        ],
        "values_ms": {name: [row[name] for row in times_ms] for name in programs},
        "memory_mb": memory_mb,
    }


def _start(python: str, program: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Milliseconds from before the start to what the program says, and its peak memory in bytes where it says so."""
    start = time.monotonic()
    done = subprocess.run([python, "-c", *program], capture_output=True, text=True, check=False, env=environment)
    if done.returncode != 0:
        raise SystemExit(f"cold_start: a child failed: {done.stderr.strip().splitlines()[-1]}")
    said = [float(line) for line in done.stdout.split()]
    return (said[0] - start) * 1e3, said[1] if len(said) > 1 else 0.0


def _against(name: str, value: float, goal: float, unit: str) -> Result:
    return {"name": name, "value": value, "unit": unit, "goal": f"≤ {goal:g}", "met": value <= goal}


def print_result(result: Result) -> None:
    for name, value in result["median_ms"].items():
        print(f"{name:46}{value:8.1f} ms")
    for row in result["measured"]:
        print(f"{row['name']:46}{row['value']:8.1f} {row['unit']}   goal {row['goal']} {row['unit']}{not_met(row)}")


@claim(print_result)
@click.option("--repeats", type=click.IntRange(1), default=15, show_default=True)
def main(repeats: int) -> Result:
    """Cold start of the runtime in fresh processes."""
    return measure(repeats)


if __name__ == "__main__":
    main()
