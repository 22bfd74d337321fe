"""Rounds of timed steps, in which everything that is compared meets the same weather."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from segbench.process.interrupt import Interrupt
from segbench.process.job import Job
from segbench.profile.part import MOST_ROUNDS

Step = Callable[[], Sequence[float]]  # seconds of what it timed


def run_rounds(steps: Sequence[Step], job: Job, interrupt: Interrupt) -> list[list[Sequence[float]]]:
    """Each step once a round, in random order; a row has the seconds of all steps, in the order of `steps`.

    Warm-up as the job says, thrown away; then at least `runs` rounds, and more until `seconds` are over or there are 500.
    Where Ctrl-C ends it before there are `runs`, there are none.
    """
    random = np.random.default_rng(7)
    end = time.perf_counter() + job.effort.warmup_seconds
    warm = 0
    while (warm < job.effort.warmup_runs or time.perf_counter() < end) and warm < MOST_ROUNDS and not interrupt.asked:
        _one_round(steps, random)
        warm += 1
    rows: list[list[Sequence[float]]] = []
    end = time.perf_counter() + job.effort.seconds
    while (
        (len(rows) < job.effort.runs or time.perf_counter() < end) and len(rows) < MOST_ROUNDS and not interrupt.asked
    ):
        rows.append(_one_round(steps, random))
    return rows if len(rows) >= job.effort.runs else []


def _one_round(steps: Sequence[Step], random: np.random.Generator) -> list[Sequence[float]]:
    found: dict[int, Sequence[float]] = {int(k): steps[k]() for k in random.permutation(len(steps))}
    return [found[k] for k in range(len(steps))]
