"""The measurement itself: load, check, warm up, time. Runs in the worker process."""

from __future__ import annotations

import time
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import segruntime
from segbench.errors import WrongMaskError
from segbench.frames import DEFAULT_SIZE, Frame, drawn_background, drawn_frame, read_frame
from segbench.job import Job
from segbench.machine import peak_memory_bytes
from segbench.model_facts import describe_model
from segruntime import Segmenter

STAGES = ("preprocess", "invoke", "postprocess", "alpha", "composite")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What the worker found: `values_ms` holds the raw values of every stage in the order they were measured."""

    model: dict[str, Any]
    frame: dict[str, Any]
    threads: int
    load_ms: float
    first_mask_ms: float
    peak_memory_bytes: int
    values_ms: dict[str, list[float]]
    warnings: list[str]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def measure(job: Job) -> Measurement:
    """Load, first mask, check, warm-up, rounds.

    Raises:
        PictureError, WrongMaskError: see `segbench.errors`. SegRuntimeError: the model cannot be loaded.
    """
    frame, source = _frame(job)
    background = drawn_background(frame.shape[1], frame.shape[0])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        start = time.perf_counter()
        segmenter = segruntime.load(job.model, backend=job.backend, threads=job.threads)
        load_ms = _since_ms(start)
    start = time.perf_counter()
    first = segmenter.alpha(frame)
    first_mask_ms = _since_ms(start)
    check_mask(first, segmenter.path, source)
    for _ in range(job.warmup):
        _one_round(segmenter, frame, background)
    values_ms = _rounds(segmenter, frame, background, job)
    return Measurement(
        model=describe_model(segmenter),
        frame={"width": frame.shape[1], "height": frame.shape[0], "source": source},
        threads=segmenter.threads,
        load_ms=load_ms,
        first_mask_ms=first_mask_ms,
        peak_memory_bytes=peak_memory_bytes(),
        values_ms=values_ms,
        warnings=[str(one.message) for one in caught if issubclass(one.category, RuntimeWarning)],
    )


def check_mask(alpha: npt.NDArray[np.float32], model: object, source: str) -> None:
    """Refuse a mask `(H, W) float32` that is not finite, leaves 0..1, or is the same everywhere.

    Raises:
        WrongMaskError: what is wrong with it.
    """
    if not np.isfinite(alpha).all():
        bad = int(np.count_nonzero(~np.isfinite(alpha)))
        raise WrongMaskError(
            f"{model}: its mask of {source} has {bad} values that are no numbers; the model is broken, export it again"
        )
    low, high = float(alpha.min()), float(alpha.max())
    if low < 0 or high > 1:
        raise WrongMaskError(f"{model}: its mask of {source} has values {low:g} to {high:g}, expected 0 to 1")
    if low == high:
        raise WrongMaskError(
            f"{model}: its mask of {source} is {low:g} everywhere, expected a person and a background; "
            "give a picture of a person with --input, or export the model again"
        )


def _rounds(segmenter: Segmenter, frame: Frame, background: Frame, job: Job) -> dict[str, list[float]]:
    """At least `runs` rounds and `seconds` seconds; every stage once a round, so that drift meets all of them alike."""
    rows: list[tuple[float, ...]] = []
    end = time.perf_counter() + job.seconds
    while len(rows) < job.runs or time.perf_counter() < end:
        rows.append(_one_round(segmenter, frame, background))
    return {name: [round(row[k] * 1e3, 5) for row in rows] for k, name in enumerate(STAGES)}


def _one_round(segmenter: Segmenter, frame: Frame, background: Frame) -> tuple[float, ...]:
    """Seconds of each of `STAGES`; the whole is a call of its own, not the sum of its parts."""
    clock = time.perf_counter
    t0 = clock()
    tensor = segmenter.preprocess(frame)
    t1 = clock()
    output = segmenter.invoke(tensor)
    t2 = clock()
    segmenter.postprocess(output, frame.shape[:2])
    t3 = clock()
    alpha = segmenter.alpha(frame)
    t4 = clock()
    segruntime.composite(frame, alpha, background)
    t5 = clock()
    return t1 - t0, t2 - t1, t3 - t2, t4 - t3, t5 - t4


def _frame(job: Job) -> tuple[Frame, str]:
    size = None if job.width is None or job.height is None else (job.width, job.height)
    if job.picture is not None:
        return read_frame(Path(job.picture), size), str(job.picture)
    return drawn_frame(*(size or DEFAULT_SIZE)), "the drawn frame"


def _since_ms(start: float) -> float:
    return (time.perf_counter() - start) * 1e3
