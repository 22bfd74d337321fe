"""The measurement itself: load, first mask, warm-up, rounds. Runs in the worker process."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

import segruntime
from segbench.frames.drawn import Frame, drawn_background
from segbench.frames.source import Timed, open_feed
from segbench.latency.chain import Chain
from segbench.latency.mask_check import check_mask
from segbench.machine.describe import peak_memory_bytes
from segbench.machine.memory import baseline_memory_bytes, page_faults
from segbench.process.interrupt import Interrupt
from segbench.process.job import Job
from segbench.process.pacing import Pacer
from segbench.results.latency import STAGES, Measurement

_MANY_FAULTS = 1024  # pages of 4 KiB a round; measured at 2 µs each, and 2,200 for each picture of 1280x720


def measure(job: Job, import_ms: float = 0.0) -> Measurement:
    """Load, first mask, check, warm-up, rounds; Ctrl-C ends the rounds early.

    Raises:
        PictureError, ClipError, WrongMaskError: see `segbench.errors`. SegRuntimeError: the model cannot be loaded.
    """
    with Interrupt() as interrupt:
        feed = open_feed(job)
        background = drawn_background(feed.first.shape[1], feed.first.shape[0])
        baseline = baseline_memory_bytes()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            start = time.perf_counter()
            segmenter = segruntime.load(job.model, backend=job.backend, threads=job.threads)
            load_ms = _since_ms(start)
        chain = Chain(segmenter, job.preset, background)
        start = time.perf_counter()
        first = chain.alpha(feed.first)
        first_mask_ms = _since_ms(start)
        check_mask(_as_probability(first), segmenter.path, feed.source)
        _warm_up(chain, feed.frames, job, interrupt)
        pacer = None if job.rate is None else Pacer(job.rate)
        before = page_faults()
        values_ms = _rounds(chain, feed.frames, job, pacer, interrupt)
        faults = page_faults() - before
    said = [str(one.message) for one in caught if issubclass(one.category, RuntimeWarning)]
    return Measurement(
        load_ms=load_ms,
        first_mask_ms=first_mask_ms,
        import_ms=import_ms,
        baseline_memory_bytes=baseline,
        peak_memory_bytes=peak_memory_bytes(),
        values_ms=values_ms,
        late_frames=None if pacer is None else pacer.late,
        warnings=(
            *said,
            *too_many_threads(segmenter.threads),
            *_memory_to_and_fro(faults / max(1, len(values_ms.get("whole", ())))),
        ),
    )


def _warm_up(chain: Chain, frames: Iterator[Timed], job: Job, interrupt: Interrupt) -> None:
    end, done = time.perf_counter() + job.effort.warmup_seconds, 0
    while (done < job.effort.warmup_runs or time.perf_counter() < end) and not interrupt.asked:
        frame, _ = next(frames)
        _one_round(chain, frame)
        done += 1


def _rounds(
    chain: Chain, frames: Iterator[Timed], job: Job, pacer: Pacer | None, interrupt: Interrupt
) -> dict[str, list[float]]:
    """At least `runs` rounds and `seconds` seconds; every stage once a round, so that drift meets all of them alike."""
    rows: list[dict[str, float]] = []
    end = time.perf_counter() + job.effort.seconds
    while (len(rows) < job.effort.runs or time.perf_counter() < end) and not interrupt.asked:
        rows.append(_timed_round(chain, frames, pacer))
    found = [name for name in STAGES if rows and name in rows[0]]
    return {name: [round(row[name] * 1e3, 5) for row in rows] for name in found}


def _timed_round(chain: Chain, frames: Iterator[Timed], pacer: Pacer | None) -> dict[str, float]:
    if pacer is not None:
        pacer.wait()
    frame, decode = next(frames)
    seconds = _one_round(chain, frame) if pacer is None else _one_pass(chain, frame)
    if pacer is not None:
        pacer.done()
    return seconds if decode is None else {"decode": decode, **seconds}


def _one_round(chain: Chain, frame: Frame) -> dict[str, float]:
    """Seconds of each stage; alpha and the whole are calls of their own, not the sums of their parts."""
    seconds, clock = chain.seconds_by_stage(frame), time.perf_counter
    start = clock()
    alpha = chain.alpha(frame)
    seconds["alpha"] = clock() - start
    del alpha
    start = clock()
    picture = chain.whole(frame)
    seconds["whole"] = clock() - start
    del picture
    return seconds


def _one_pass(chain: Chain, frame: Frame) -> dict[str, float]:
    """A camera leaves time for one pass: from the first reading of the clock to the one after alpha, and to the last."""
    seconds = chain.seconds_by_stage(frame)
    whole = sum(seconds.values())
    return {**seconds, "alpha": whole - seconds["composite"], "whole": whole}


def _as_probability(alpha: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    one = np.float32(255 if alpha.dtype == np.uint8 else 1)
    probability: npt.NDArray[np.float32] = np.asarray(alpha, np.float32) / one
    return probability


def too_many_threads(threads: int) -> list[str]:
    """A warning, where there are more than cores."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if threads <= cores:
        return []
    return [
        f"threads: {threads}, and this process may use {cores} core{'s' if cores > 1 else ''}; they wait for one another"
    ]


def _memory_to_and_fro(faults: float) -> list[str]:
    if faults < _MANY_FAULTS:
        return []
    # no number in it, so that processes that suffer alike say it once
    return [
        "memory goes back to the system after each frame and is fetched anew for the next, which takes time; "
        "MALLOC_TRIM_THRESHOLD_=100000000 MALLOC_MMAP_THRESHOLD_=100000000 in the environment end that, in a program as here"
    ]


def _since_ms(start: float) -> float:
    return (time.perf_counter() - start) * 1e3
