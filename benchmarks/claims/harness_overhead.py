"""Does segbench measure what a bare loop measures? The p50 of the whole, frame to composite, from both.

python benchmarks/claims/harness_overhead.py [--pairs N] [--seconds S] [--backend NAME] [--threads N] [--json]

The bare loop is what anybody would write: a fresh process, a warm-up, then two readings of the clock around the call. It
knows nothing of segbench. Each pair is one process of either, in random order, one right after the other, so that the machine's
fast and slow minutes meet both; the ratio is taken within a pair. The promise is 2 %, for the median of the pairs. The
interval around it (bootstrap over the pairs) says how well this machine can tell; with one thread it tells best.

The loop keeps its picture until the next one is there, as a program does that shows or encodes it. One that drops it at once
can take 40 % longer: glibc's malloc then gives the memory back to the system after each frame, 2,200 page faults of 2 µs at
1280x720. Where segbench's own process meets that, it warns.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import click
import numpy as np

from claim import Result, claim
from segbench.frames.drawn import drawn_background, drawn_frame
from segbench.process.child import run_worker
from segbench.process.job import Effort, Job
from segbench.results.latency import Measurement
from segruntime.backends import BACKENDS

PROMISE = 0.02
SIZE = 1280, 720
WARMUP_SECONDS = 0.5
BARE = """
import json, sys, time
import numpy
import segruntime

backend, threads, seconds, warmup_seconds = sys.argv[3], json.loads(sys.argv[4]), float(sys.argv[5]), float(sys.argv[6])
frame, background = numpy.load(sys.argv[1]), numpy.load(sys.argv[2])
segmenter = segruntime.load(backend=backend, threads=threads)
end = time.perf_counter() + warmup_seconds
while time.perf_counter() < end:
    picture = segruntime.composite(frame, segmenter.alpha(frame), background)
values = []
end = time.perf_counter() + seconds
while time.perf_counter() < end:
    start = time.perf_counter()
    picture = segruntime.composite(frame, segmenter.alpha(frame), background)
    values.append(time.perf_counter() - start)
print(json.dumps(values))
"""


def bare_p50_ms(folder: Path, job: Job) -> float:
    """The median of the bare loop, in a process of its own."""
    arguments = [str(folder / "frame.npy"), str(folder / "background.npy"), job.backend or "tflite"]
    numbers = [json.dumps(job.threads), str(job.effort.seconds), str(job.effort.warmup_seconds)]
    done = subprocess.run(
        [sys.executable, "-c", BARE, *arguments, *numbers], capture_output=True, text=True, check=False, env=os.environ
    )
    if done.returncode != 0:
        raise SystemExit(f"harness_overhead: the bare loop failed: {done.stderr.strip().splitlines()[-1]}")
    return float(np.median(json.loads(done.stdout))) * 1e3


def harness_p50_ms(job: Job) -> float:
    """The median of the whole as segbench measures it."""
    return float(np.median(Measurement.from_json(run_worker("measure", job)).values_ms["whole"]))


def compare(job: Job, pairs: int, seed: int = 0) -> Result:
    """Both medians of each pair, the median of their ratios less 1, and its 95 % interval."""
    random = np.random.default_rng(seed)
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "frame.npy", drawn_frame(*SIZE))
        np.save(folder / "background.npy", drawn_background(*SIZE))
        for _ in range(pairs):
            if random.integers(2):
                bare, harness = bare_p50_ms(folder, job), harness_p50_ms(job)
            else:
                harness, bare = harness_p50_ms(job), bare_p50_ms(folder, job)
            rows.append((bare, harness))
    ratios = np.array([harness / bare for bare, harness in rows])
    resampled = np.median(random.choice(ratios, (10_000, pairs)), axis=1)
    return {
        "job": job.to_json(),
        "bare_p50_ms": [bare for bare, _ in rows],
        "harness_p50_ms": [harness for _, harness in rows],
        "difference": float(np.median(ratios)) - 1,
        "interval": [float(v) - 1 for v in np.quantile(resampled, (0.025, 0.975))],
        "promise": PROMISE,
    }


def print_result(result: Result) -> None:
    low, high = result["interval"]
    medians = [f"{np.median(result[name]):.2f} ms" for name in ("bare_p50_ms", "harness_p50_ms")]
    print(
        f"{result['job']['backend']}, {len(result['bare_p50_ms'])} pairs: bare p50 {medians[0]}, segbench's {medians[1]}; "
        f"within a pair segbench differs by {result['difference']:+.2%} (95 % interval {low:+.2%} to {high:+.2%}), "
        f"promised: {PROMISE:.0%}"
    )


def broken(result: Result) -> str | None:
    """The promise, where it is not kept."""
    if abs(result["difference"]) <= PROMISE:
        return None
    return f"segbench differs by {result['difference']:+.2%}, promised: {PROMISE:.0%}"


@claim(print_result, broken)
@click.option("--pairs", type=click.IntRange(1, 1000), default=15, show_default=True)
@click.option("--seconds", type=float, default=2.0, show_default=True, help="Of each process.")
@click.option("--backend", type=click.Choice(list(BACKENDS)), default="tflite", show_default=True)
@click.option("--threads", type=int, default=1, show_default=True)
def main(pairs: int, seconds: float, backend: str, threads: int) -> Result:
    """Compare segbench with a bare loop; exit code 1 where the difference is above the promise."""
    effort = Effort(runs=1, seconds=seconds, warmup_seconds=WARMUP_SECONDS)
    return compare(Job(backend=backend, threads=threads, effort=effort), pairs)


if __name__ == "__main__":
    main()
