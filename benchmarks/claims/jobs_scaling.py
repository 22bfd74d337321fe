"""How the engine of `segrun --engine ray` scales: units that only wait, on 1 to 8 nodes, and real pictures on three.

.venv-ray/bin/python benchmarks/claims/jobs_scaling.py [--nodes 1,2,4,8] [--units N] [--wait S] [--pictures N] [--rounds N]

All nodes are on this machine, with one CPU each as far as Ray knows, so a unit of the first part is a wait: what is measured
is handing out, answering and hearing. Each node gets as many units; the clock runs from the moment when all workers are
there to the last outcome. Linear is what one node did, times the nodes; next to it the share of the time that was waited.

The second part is the same pictures through three actors on three nodes and through three processes of `--workers 3`, in
turn, from the first outcome to the last; so that drift of the machine meets both alike, it is the median of the rounds' ratios.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np

from claim import RatioGoal, Result, claim, goal_line, medians, not_met

# before Ray is imported: on the loopback interface alone, and nothing is told to anybody
os.environ["RAY_USAGE_STATS_ENABLED"] = os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"

LINEAR = 0.95
RAY, PROCESSES, THREE = "three nodes", "three processes", 3
GOALS = (RatioGoal(over=RAY, under=PROCESSES, sign="≤", bound=1.15),)
STORE_BYTES = 80 << 20


@contextmanager
def cluster(nodes: int) -> Iterator[str]:
    """The address of a head without a CPU and so many nodes with one."""
    from ray.cluster_utils import Cluster

    with tempfile.TemporaryDirectory(prefix="ray-") as folder:
        os.environ["RAY_TMPDIR"] = folder
        (Path(folder) / "ray").mkdir()  # where the cluster's address is written, before any node makes the folder
        own = {"node_ip_address": "127.0.0.1", "include_dashboard": False, "object_store_memory": STORE_BYTES}
        made = Cluster(initialize_head=True, head_node_args={**own, "num_cpus": 0})
        try:
            for _ in range(nodes):
                made.add_node(**own, num_cpus=1)
            yield made.address
        finally:
            made.shutdown()


def work_in(folder: Path) -> Any:
    from segruntime.jobs.worker import Work
    from segruntime.run.command import RunOptions
    from segruntime.segmenter import default_model

    (folder / "units").mkdir()
    model = str(default_model())
    options = RunOptions(source="in", output="out", background="green", preset="fast", threads=1, model=model)
    return Work(options=options, drafts=str(folder / "units"))


class Waits:
    """In the place of a worker: does nothing for so long, once so many of its kind are there."""

    def __init__(self, drafts: str, workers: int, wait_s: float) -> None:
        self._here, self._workers, self._wait_s = Path(drafts), workers, wait_s

    def run(self, units: Iterable[Any]) -> Generator[Any, None, None]:
        from segruntime.jobs.unit import Outcome

        (self._here / f"here-{os.getpid()}").touch()
        for unit in units:
            while len(list(self._here.glob("here-*"))) < self._workers:
                time.sleep(0.01)
            begin = time.time()
            time.sleep(self._wait_s)
            yield Outcome(unit=unit, state="finished", seconds=begin)


def waited(nodes: int, units: int, wait_s: float) -> Result:
    """Units that wait: how many a second, from the beginning of the first to the outcome of the last; the driver's time.

    They are of videos, by their names: a worker has one at a time, and is idle until it gets the next.
    """
    from segruntime.jobs.ray_engine import RayActors
    from segruntime.jobs.unit import Unit

    with tempfile.TemporaryDirectory() as name, cluster(nodes) as address:
        folder, count = Path(name), units * nodes
        source = folder / "none.mp4"
        source.touch()
        work = work_in(folder)
        all_units = [
            Unit(id=f"{k}", source=str(source), name=f"{k}.mp4", size_bytes=0, changed_ns=0) for k in range(count)
        ]
        drafts = work.drafts
        engine = RayActors(work, nodes, address, lambda _: Waits(drafts, nodes, wait_s))
        outcomes, end, spent_s = [], 0.0, []
        for outcome in engine.run(iter(all_units)):
            outcomes.append(outcome)
            spent_s.append(time.process_time())
            end = time.time()
    if len(outcomes) != count:
        raise SystemExit(f"jobs_scaling: {len(outcomes)} outcomes, expected {count}")
    rate = count / (end - min(outcome.seconds for outcome in outcomes))
    driver_ms = (spent_s[-1] - spent_s[0]) * 1000 / (count - 1)
    return {"nodes": nodes, "units_per_s": rate, "waited": rate * wait_s / nodes, "driver_ms": driver_ms}


def write_pictures(folder: Path, count: int) -> None:
    """Drawn pictures of 1280x720, no two the same."""
    folder.mkdir()
    noise = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (920, 1480, 3), dtype=np.uint8), (0, 0), 4)
    for k in range(count):
        cv2.imwrite(str(folder / f"{k:05}.jpg"), noise[k % 200 :, k % 200 :][:720, :1280])


def first_to_last_s(executor: Any, pictures: Path) -> float:
    """Seconds from the first outcome to the last."""
    from segruntime.jobs.plan import units_of

    with closing(executor.run(units_of(pictures, ""))) as outcomes:
        failed = [next(outcomes)][0].error
        begin = time.perf_counter()
        failed = next((outcome.error for outcome in outcomes if outcome.error), failed)
        seconds = time.perf_counter() - begin
    if failed:
        raise SystemExit(f"jobs_scaling: {failed}")
    return seconds


def compared(pictures: int, rounds: int) -> list[dict[str, float]]:
    """Seconds of both ways, in each round."""
    from segruntime.jobs.processes import Processes
    from segruntime.jobs.ray_engine import RayActors

    with tempfile.TemporaryDirectory() as name, cluster(THREE) as address:
        folder = Path(name)
        write_pictures(folder / "in", pictures)
        work = work_in(folder)
        ways: dict[str, Callable[[], Any]] = {
            RAY: lambda: RayActors(work, THREE, address),
            PROCESSES: lambda: Processes(work, THREE),
        }
        return [{name: first_to_last_s(make(), folder / "in") for name, make in ways.items()} for _ in range(rounds)]


def of_linear(rows: list[Result]) -> list[Result]:
    one = min(rows, key=lambda row: int(row["nodes"]))
    shares = [row["units_per_s"] * one["nodes"] / (one["units_per_s"] * row["nodes"]) for row in rows]
    return [{**row, "of_linear": share, "met": share >= LINEAR} for row, share in zip(rows, shares, strict=True)]


def print_result(result: Result) -> None:
    for row in result["scaling"]:
        print(
            f"  {row['nodes']} nodes {row['units_per_s']:8.2f} units a second, {row['of_linear']:.3f} of linear, "
            f"goal ≥ {LINEAR}{not_met(row)}; {row['waited']:.1%} of the time waited, "
            f"{row['driver_ms']:.1f} ms of the driver's processor time for a unit"
        )
    for name, seconds in result["median_s"].items():
        print(f"  {name:24}{seconds:8.1f} s   {result['pictures'] / seconds:6.1f} pictures a second")
    for row in result["ratios"]:
        print(goal_line(row, 32))


def _numbers(_context: Any, _option: Any, text: str) -> Sequence[int]:
    return [int(word) for word in text.split(",")]


@claim(print_result)
@click.option("--nodes", default="1,2,4,8", show_default=True, callback=_numbers, help="Empty nodes on this machine.")
@click.option("--units", default=60, show_default=True, help="For each node.")
@click.option("--wait", "wait_s", default=0.25, show_default=True, help="Seconds that a unit takes.")
@click.option("--pictures", default=300, show_default=True)
@click.option("--rounds", default=3, show_default=True)
def main(nodes: list[int], units: int, wait_s: float, pictures: int, rounds: int) -> Result:
    """Scaling of units that wait, then real pictures on three nodes against three processes."""
    values_s = compared(pictures, rounds) if rounds else []
    return {
        "scaling": of_linear([waited(count, units, wait_s) for count in nodes]),
        "wait_s": wait_s,
        "pictures": pictures,
        "values_s": values_s,
        "median_s": medians(values_s) if values_s else {},
        "ratios": [goal.measured(values_s) for goal in GOALS] if values_s else [],
    }


if __name__ == "__main__":
    main()
