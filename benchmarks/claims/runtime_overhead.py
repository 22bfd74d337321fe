"""What segruntime costs on top of the bare interpreter, and against the usual numpy loop: ratios from one run.

python benchmarks/claims/runtime_overhead.py [--model FILE]… [--threads N] [--rounds N] [--json]

Everything is measured with one interpreter in interleaved rounds, so that drift meets all alike; a ratio is the median of the
rounds' ratios. The goals are for a network whose bare invoke takes 3–4 ms on the machine; they are printed, never enforced.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np

import segruntime
from claim import RatioGoal, Result, claim, goal_line, medians
from peers.numpy_loop import NumpyLoop
from segbench.frames.drawn import Frame, drawn_background, drawn_frame
from segbench.latency.mask_check import check_mask
from segruntime import Segmenter
from segruntime.preprocess import BYTE_BILINEAR
from segruntime.refine import Preset, Refiner

BARE, ALPHA, COMPOSITE, NUMPY = "bare invoke", "frame → alpha", "frame → alpha → composite", "numpy loop"
FAST, BALANCED = "frame → composite, fast", "frame → composite, balanced"
GOALS = (
    RatioGoal(over=ALPHA, under=BARE, sign="≤", bound=1.35),
    RatioGoal(over=COMPOSITE, under=BARE, sign="≤", bound=2.3),
    RatioGoal(over=FAST, under=BARE, sign="≤", bound=2.0),
    RatioGoal(over=BALANCED, under=BARE, sign="≤", bound=3.5),
    RatioGoal(over=NUMPY, under=FAST, sign="≥", bound=5.0),
)
# the alpha rounded, the most certain step taken for 1, and scaled up in bytes: 2; the blend rounded: 0.5; numpy cuts off: 1
LARGEST_DIFFERENCE = 3


class Chain:
    """Frame → coarse mask → a preset of `segruntime.refine` → composite, `(H, W, 3) uint8`; its buffers are kept."""

    def __init__(self, segmenter: Segmenter, preset: str, size: tuple[int, int]) -> None:
        width, height = size
        self._segmenter = segmenter
        self._refiner = Refiner(preset)
        self._looks_at_luma = self._refiner.preset != Preset()
        self._luma = np.zeros((height, width), np.uint8)
        self._weight = np.empty((height, width), np.uint8)
        self._out = np.empty((height, width, 3), np.uint8)

    def __call__(self, frame: Frame, background: Frame) -> Frame:
        if self._looks_at_luma:
            cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY, dst=self._luma)
        weight = self._refiner(self._segmenter.coarse(frame), self._luma, out=self._weight)
        return segruntime.composite(frame, weight, background, out=self._out)


def measure(model: Path | None, threads: int | None, rounds: int, inner: int, size: tuple[int, int]) -> Result:
    """One model: medians in ms, ratios, and how far the two composites are apart."""
    segmenter = segruntime.load(model, backend="tflite", threads=threads)
    frame, background = drawn_frame(*size), drawn_background(*size)
    check_mask(segmenter.alpha(frame), segmenter.path, "the drawn frame")
    calls = _calls(segmenter, frame, background)
    loop = calls[NUMPY]().astype(int)
    difference = max(int(np.abs(calls[name]() - loop).max()) for name in (COMPOSITE, FAST))
    for call in calls.values():
        _mean_s(call, inner)
    values_s = [{name: _mean_s(call, inner) for name, call in calls.items()} for _ in range(rounds)]
    return {
        "model": segmenter.path.name,
        "precision": segmenter.contract.input.dtype,
        "threads": segmenter.threads,
        "rounds": rounds,
        "calls_per_round": inner,
        "median_ms": {name: 1e3 * value for name, value in medians(values_s).items()},
        "ratios": [goal.measured(values_s) for goal in GOALS],
        "composites_differ_by": difference,
        "composites_agree": difference <= LARGEST_DIFFERENCE,
        "values_ms": {name: [round(1e3 * row[name], 5) for row in values_s] for name in calls},
    }


def _calls(segmenter: Segmenter, frame: Frame, background: Frame) -> dict[str, Callable[[], Any]]:
    # the very interpreter that segruntime runs: a second one would have threads and memory of its own
    interpreter = segmenter._backend._interpreter  # type: ignore[attr-defined]
    loop = NumpyLoop(interpreter, BYTE_BILINEAR)  # else the network sees other bytes, and the composites differ
    fast, balanced = (Chain(segmenter, preset, (frame.shape[1], frame.shape[0])) for preset in ("fast", "balanced"))
    return {
        BARE: interpreter.invoke,
        ALPHA: lambda: segmenter.alpha(frame),
        COMPOSITE: lambda: segruntime.composite(frame, segmenter.alpha(frame), background),
        FAST: lambda: fast(frame, background),
        BALANCED: lambda: balanced(frame, background),
        NUMPY: lambda: loop(frame, background),
    }


def _mean_s(call: Callable[[], Any], count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - start) / count


def print_results(result: Result) -> None:
    for one in result["results"]:
        print_result(one)


def print_result(result: Result) -> None:
    threads = f"{result['threads']} thread{'s' if result['threads'] > 1 else ''}"
    print(f"\n{result['model']} ({result['precision']}, {threads}, {result['rounds']} rounds)")
    for name, value in result["median_ms"].items():
        print(f"  {name:42}{value:8.2f} ms")
    for row in result["ratios"]:
        print(goal_line(row, 42))
    apart = f"{result['composites_differ_by']:8} of 255, expected ≤ {LARGEST_DIFFERENCE}"
    print(f"  {'the composites differ by at most':42}{apart}")


def disagreeing(result: Result) -> str | None:
    if all(one["composites_agree"] for one in result["results"]):
        return None
    return "the composites differ by more than they may; the timings mean nothing"


@claim(print_results, disagreeing)
@click.option(
    "--model", "models", multiple=True, type=click.Path(path_type=Path), help="Another .tflite; may be repeated."
)
@click.option("--threads", type=int, help="Default: as segruntime.load.")
@click.option("--rounds", type=click.IntRange(1), default=40, show_default=True)
@click.option("--inner", type=click.IntRange(1), default=5, show_default=True, help="Calls of each kind in a round.")
def main(models: tuple[Path, ...], threads: int | None, rounds: int, inner: int) -> Result:
    """Frame 1280x720 → alpha and composite against the bare invoke and the usual numpy loop."""
    return {"results": [measure(model, threads, rounds, inner, (1280, 720)) for model in (None, *models)]}


if __name__ == "__main__":
    main()
