"""Does `segbench compare` find no difference where there is none, and a planted one where there is one?

python benchmarks/claims/aa_test.py [--repetitions N] [--rounds N] [--seconds S] [--planted 0.1] [--keep DIR] [--json]

Each repetition measures the bundled model, frame → composite, three times, in fresh processes in turn: A; B, which is the
same; and C, whose calls wait until they have taken 10 % longer. The three results are compared as the command does it. The
goals are issue 5's: of 20 repetitions at least 19 times no difference between A and B, and at least 18 times C is slower
than A. Where other programs take the processor, give it more rounds.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from claim import Result, claim

if TYPE_CHECKING:
    from segbench.process.job import Effort
    from segbench.results.latency import LatencyResult, Measurement
    from segbench.results.subject import Subject

SIDES = ("A", "B", "C")
SIZE = 1280, 720
NO_DIFFERENCE_SHARE, SLOWER_SHARE = 19 / 20, 18 / 20


def measure_one(backend: str, seconds: float, planted: float) -> dict[str, Any]:
    """In a fresh process, with segbench's own stopwatch: one entry of `processes` of a result, and when it began."""
    # importing is timed, so nothing of segruntime is imported before
    started_at, start = time.time(), time.perf_counter()
    import segruntime

    import_ms = (time.perf_counter() - start) * 1e3
    from segbench.latency.stopwatch import measure
    from segbench.process.job import Job

    plant(planted, segruntime)
    job = Job(backend=backend, threads=1, effort=effort_of(seconds))
    return replace(measure(job, import_ms), started_at=started_at).to_json()


def effort_of(seconds: float, rounds: int = 1) -> Effort:
    """Of each side."""
    from segbench.process.job import Effort

    return Effort(runs=5, seconds=seconds, warmup_runs=3, warmup_seconds=seconds / 4, processes=rounds)


def plant(share: float, segruntime: Any) -> None:
    """Both calls of frame → composite take so much longer, by waiting busily when they are done."""
    segruntime.Segmenter.alpha = _slower(segruntime.Segmenter.alpha, share)
    segruntime.composite = _slower(segruntime.composite, share)


def _slower(call: Callable[..., Any], share: float) -> Callable[..., Any]:
    def slower(*arguments: Any, **options: Any) -> Any:
        start = time.perf_counter()
        found = call(*arguments, **options)
        end = start + (1 + share) * (time.perf_counter() - start)
        while time.perf_counter() < end:
            pass
        return found

    return slower


def measure_sides(backend: str, rounds: int, seconds: float, planted: float, seed: int) -> dict[str, list[Measurement]]:
    """`rounds` processes of each side, in every round all three in random order."""
    from segbench.results.latency import Measurement
    from segruntime.strict_json import Fields

    random = np.random.default_rng(seed)
    found: dict[str, list[Measurement]] = {side: [] for side in SIDES}
    for _ in range(rounds):
        for k in random.permutation(len(SIDES)):
            side = SIDES[k]
            words = ["--child", backend, str(seconds), str(planted if side == "C" else 0)]
            done = subprocess.run([sys.executable, __file__, *words], capture_output=True, text=True, check=False)
            if done.returncode:
                raise SystemExit(f"aa_test: a measuring process failed: {done.stderr.strip().splitlines()[-1:]}")
            found[side].append(Measurement.from_json(Fields(json.loads(done.stdout.splitlines()[-1]))))
    return found


def as_result(processes: list[Measurement], subject: Subject, effort: Effort, seed: int) -> LatencyResult:
    """A result with one configuration."""
    from segbench.machine.describe import describe_machine
    from segbench.results.header import header_of, sealed
    from segbench.results.latency import FORMAT, VERSION, Configuration, LatencyResult, Settings

    return sealed(
        LatencyResult(
            header=header_of(FORMAT, VERSION, describe_machine()),
            settings=Settings(effort=effort, rate=None, least_mask_iou=None, seed=seed),
            configurations=(Configuration.of(subject.model.name, subject, processes),),
            interrupted=False,
        )
    )


def repetition(number: int, subject: Subject, options: dict[str, Any], keep: Path | None) -> Result:
    """Measure, compare: the verdict and the interval of B and of C next to A."""
    from segbench.compare.run import compare_results
    from segbench.results.file import write_results

    found = measure_sides(**options, seed=number)
    effort = effort_of(options["seconds"], options["rounds"])
    results = {side: as_result(rows, subject, effort, number) for side, rows in found.items()}
    if keep is not None:
        for side, result in results.items():
            write_results(keep / f"{number:02}-{side}.json", result.to_json())
    row: dict[str, Any] = {"repetition": number}
    for name, side in (("same", "B"), ("planted", "C")):
        (one,) = compare_results(results["A"], results[side]).comparisons
        whole = {"ratio": one.whole.ratio, "low": one.whole.low, "high": one.whole.high}
        row[name] = {"verdict": one.verdict, "paired": one.paired, **whole}
    return row


def summary(rows: list[Result], planted: float) -> Result:
    """How often each verdict was right, and whether the goals are met."""
    quiet = sum(row["same"]["verdict"] == "no difference seen" for row in rows)
    seen = sum(row["planted"]["verdict"] == "slower" for row in rows)
    return {
        "repetitions": len(rows),
        "planted": planted,
        "no_difference": quiet,
        "slower": seen,
        "goals_met": quiet >= NO_DIFFERENCE_SHARE * len(rows) and seen >= SLOWER_SHARE * len(rows),
        "rows": rows,
    }


def print_result(result: Result) -> None:
    count = result["repetitions"]
    print(f"the same: no difference seen {result['no_difference']} of {count}, goal 19 of 20")
    print(f"{result['planted']:.0%} planted: slower {result['slower']} of {count}, goal 18 of 20")


def _line(row: Result) -> str:
    shown = [
        f"{one['verdict']}: {one['ratio']:.3f} ({one['low']:.3f} to {one['high']:.3f})"
        for one in (row["same"], row["planted"])
    ]
    return f"{row['repetition']:3}   {shown[0]:52}{shown[1]}"


@claim(print_result)
@click.option("--backend", default="tflite", show_default=True)
@click.option("--repetitions", type=click.IntRange(1), default=20, show_default=True)
@click.option("--rounds", type=click.IntRange(3), default=16, show_default=True, help="Processes of each side.")
@click.option("--seconds", type=click.FloatRange(0), default=0.5, show_default=True, help="Measured in each process.")
@click.option("--planted", type=click.FloatRange(0, 10), default=0.1, show_default=True, help="Share of the time.")
@click.option("--keep", type=click.Path(path_type=Path, file_okay=False), help="Write every result into this folder.")
def main(repetitions: int, keep: Path | None, **options: Any) -> Result:
    """A against the same, and against a planted slowdown, again and again."""
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
    from segbench.process.child import run_worker
    from segbench.process.job import Job
    from segbench.results.subject import Subject

    subject = Subject.from_json(run_worker("check", Job(backend=options["backend"], threads=1)))
    rows = []
    for number in range(1, repetitions + 1):
        rows.append(repetition(number, subject, options, keep))
        print(_line(rows[-1]), file=sys.stderr, flush=True)
    return summary(rows, options["planted"])


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        print(json.dumps(measure_one(sys.argv[2], float(sys.argv[3]), float(sys.argv[4]))))
    else:
        main()
