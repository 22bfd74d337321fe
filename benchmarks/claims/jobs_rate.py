"""What workers bring: a long video in segments and a folder of pictures, by one pipeline and by several processes.

python benchmarks/claims/jobs_rate.py CLIP [--seconds N] [--segment N] [--pictures N] [--workers N] [--rounds N] [--json]

The clip is repeated to a long one; its frames are the pictures, as JPEG. In each round each way is one `segrun` in a process
of its own, in turn, so that drift of the machine meets all alike. A rate counts from the start of the process to its end.
Then `--resume` of a folder of 100,000 pictures of which all but ten are done: how long until it ends, and its peak memory.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import av
import click
import cv2
import numpy as np

from claim import RatioGoal, Result, claim, goal_line, medians, not_met
from segruntime.jobs.job import settled
from segruntime.jobs.journal import Journal
from segruntime.jobs.options import JobOptions
from segruntime.jobs.place import Place
from segruntime.jobs.start import begin
from segruntime.jobs.unit import Outcome
from segruntime.run.command import RunOptions
from video_memory import loop

ONE, WORKERS, PICTURES, PICTURE_WORKERS = "one pipeline", "workers", "pictures, one pipeline", "pictures, workers"
GOALS = (
    RatioGoal(over=WORKERS, under=ONE, sign="≤", bound=1.0),
    RatioGoal(over=PICTURE_WORKERS, under=PICTURES, sign="≤", bound=1 / 1.5),
)
UNITS, LEFT = 100_000, 10
GOAL_S, GOAL_BYTES = 3.0, 200_000_000


def timed(source: Path, target: Path, words: list[str]) -> float:
    """Seconds of one `segrun`."""
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "segruntime", str(source), "-o", str(target), "--overwrite", *words],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - start


def write_pictures(clip: Path, folder: Path, count: int) -> int:
    """The first frames of the clip, and how many those are."""
    k = -1
    with av.open(str(clip)) as container:
        for k, frame in enumerate(islice(container.decode(video=0), count)):
            cv2.imwrite(str(folder / f"{k:05}.jpg"), frame.to_ndarray(format="bgr24"))
    return k + 1


def begin_hundred_thousand(source: Path, target: Path) -> list[str]:
    """A job of so many pictures, all but a few of which are done by its journal; the words that go on with it."""
    data = cv2.imencode(".jpg", np.full((48, 64, 3), 128, np.uint8))[1].tobytes()
    for part in range(UNITS // 1000):
        (source / f"{part:03}").mkdir(parents=True)
        (target / f"{part:03}").mkdir(parents=True)
        for k in range(1000):
            (source / f"{part:03}" / f"{k:03}.jpg").write_bytes(data)
    job = settled(JobOptions(run=RunOptions(source=str(source), output=str(target), background="green", preset="fast")))
    place = Place.of(target, is_folder=True)
    with place.held(), closing(Journal(place.state)) as journal:
        units = begin(job, place, journal)[LEFT:]
        journal.add(Outcome(unit=unit, state="finished", frames=1, seconds=0.03).to_json() for unit in units)
    for unit in units:
        (target / unit.name).write_bytes(data)
    return [str(source), "-o", str(target), "--background", "green", "--preset", "fast", "--resume", "--json"]


def resumed() -> Result:
    """Seconds, and peak memory in bytes, of the `segrun` that does the rest."""
    with tempfile.TemporaryDirectory() as folder:
        with ProcessPoolExecutor(1, get_context("spawn")) as apart:  # a child's peak begins at that of who starts it
            words = apart.submit(begin_hundred_thousand, Path(folder) / "in", Path(folder) / "out").result()
        start = time.perf_counter()
        child = subprocess.Popen(
            [sys.executable, "-m", "segruntime", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - start
        if child.returncode:
            raise SystemExit(f"jobs_rate: segrun ended with {child.returncode}")
    met = seconds <= GOAL_S and usage.ru_maxrss * 1024 <= GOAL_BYTES
    return {"units": UNITS, "left": LEFT, "seconds": seconds, "peak_bytes": usage.ru_maxrss * 1024, "met": met}


def print_result(result: Result) -> None:
    for name, seconds in result["median_s"].items():
        print(f"  {name:24}{seconds:8.1f} s   {result['frames'][name] / seconds:6.1f} a second")
    for row in result["ratios"]:
        print(goal_line(row, 44))
    row = result["resumed"]
    print(
        f"  {row['left']} of {row['units']} units left: {row['seconds']:.1f} s, {row['peak_bytes'] / 1e6:.0f} MB, goal ≤ "
        f"{GOAL_S:.0f} s, {GOAL_BYTES / 1e6:.0f} MB{not_met(row)}"
    )


@claim(print_result)
@click.argument("clip", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--seconds", default=60.0, show_default=True, help="Of the video.")
@click.option("--segment", "segment_s", default=15.0, show_default=True)
@click.option("--pictures", default=1000, show_default=True)
@click.option("--workers", default=2, show_default=True)
@click.option("--rounds", default=3, show_default=True)
def main(clip: Path, **words: Any) -> Result:
    """Rates of one pipeline and of several workers, and the start of a job that is nearly done."""
    start = resumed()  # before this process grows
    workers = ["--workers", str(words["workers"])]
    with tempfile.TemporaryDirectory() as folder:
        looped, pictures = Path(folder) / "in.mp4", Path(folder) / "in"
        loop(clip, looped, words["seconds"])
        pictures.mkdir()
        written = write_pictures(looped, pictures, words["pictures"])
        ways = {
            ONE: (looped, "one.mp4", []),
            WORKERS: (looped, "two.mp4", ["--segment", str(words["segment_s"]), *workers]),
            PICTURES: (pictures, "one/", []),
            PICTURE_WORKERS: (pictures, "two/", workers),
        }
        values_s = [
            {name: timed(source, Path(folder) / target, more) for name, (source, target, more) in ways.items()}
            for _ in range(words["rounds"])
        ]
        with av.open(str(Path(folder) / "one.mp4")) as container:
            frames = container.streams.video[0].frames
    counts = {ONE: frames, WORKERS: frames, PICTURES: written, PICTURE_WORKERS: written}
    return {
        "clip": clip.name,
        **words,
        "frames": counts,
        "median_s": medians(values_s),
        "ratios": [goal.measured(values_s) for goal in GOALS],
        "values_s": values_s,
        "resumed": start,
    }


if __name__ == "__main__":
    main()
