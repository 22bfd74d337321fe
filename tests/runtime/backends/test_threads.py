"""Several threads on one segmenter give the masks of calls in turn; two segmenters at once give each its own."""

from __future__ import annotations

import dataclasses
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import segruntime
from segruntime import Contract, Segmenter
from segruntime.backends import BACKENDS, TensorInfo
from segruntime.errors import FrameError
from segruntime.model_file.contract import EXAMPLE

Frame = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.float32]
THREADS = 4
ROUNDS = 3  # without the lock each of these cases fails within them, in every one of three trials
SHAPES = [(48, 64, 3), (90, 51, 3), (33, 70), (64, 64, 4)]


def frame_of(n: int) -> Frame:
    """Noise over a slope of its own brightness, in a shape of its own: no two give the same mask."""
    shape = SHAPES[n % len(SHAPES)]
    noise = np.random.default_rng(n).integers(0, 120, shape, dtype=np.uint8)
    slope = np.linspace(0, 30 * (1 + n % 4), shape[0]).astype(np.uint8)
    return noise + slope.reshape(-1, *[1] * (len(shape) - 1))


def alpha_into_out(segmenter: Segmenter, frame: Frame) -> Mask:
    out = np.full(frame.shape[:2], -1, np.float32)
    segmenter.alpha(frame, out=out)
    return out


CALLS: dict[str, Callable[[Segmenter, Frame], Mask]] = {
    "alpha": Segmenter.alpha,
    "alpha(out=)": alpha_into_out,
    "coarse": Segmenter.coarse,
    "network_mask": Segmenter.network_mask,
}


def at_once(jobs: list[Callable[[], Any]]) -> list[Any]:
    """All jobs, each on a thread of its own, started together."""
    start = threading.Barrier(len(jobs))

    def run(job: Callable[[], Any]) -> Any:
        start.wait(timeout=300)
        return job()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(run, jobs))


@pytest.fixture(autouse=True)
def frequent_switches() -> Iterator[None]:
    """Threads change places every 10 µs instead of every 5 ms, so that a missing lock shows."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


# ── one segmenter, several threads ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("backend", list(BACKENDS))
def test_every_call_gives_each_thread_the_mask_of_its_own_frame(backend: str, threads: int) -> None:
    segmenter = segruntime.load(backend=backend, threads=threads)
    frames = [frame_of(n) for n in range(THREADS)]
    expected = [{name: call(segmenter, frame) for name, call in CALLS.items()} for frame in frames]
    assert len({masks["network_mask"].tobytes() for masks in expected}) == THREADS

    def hammer(n: int) -> list[tuple[str, Mask]]:
        names = list(CALLS)[n:] + list(CALLS)[:n]  # no two threads are in the same call at the same time
        return [(name, CALLS[name](segmenter, frames[n])) for _ in range(ROUNDS) for name in names]

    found = at_once([lambda n=n: hammer(n) for n in range(THREADS)])
    for masks, wanted in zip(found, expected, strict=True):
        assert len(masks) == ROUNDS * len(CALLS)
        for name, mask in masks:
            np.testing.assert_array_equal(mask, wanted[name], err_msg=name)


class SlowMean:
    """A backend that looks at its tensor twice, some time apart, and notes how many threads were inside at once."""

    name = "slow"
    library = "none"

    def __init__(self, contract: Contract) -> None:
        self.inputs = [TensorInfo(name="in", shape=contract.input.shape, dtype="float32")]
        self.outputs = [TensorInfo(name="out", shape=contract.output.shape, dtype="float32")]
        self.inside = 0
        self.most_inside = 0

    def run(self, tensor: npt.NDArray[Any]) -> npt.NDArray[Any]:
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        before = float(tensor.mean())
        time.sleep(0.002)
        after = float(tensor.mean())
        self.inside -= 1
        assert before == after, "another thread wrote to the tensor"
        return np.full(self.outputs[0].shape, after, np.float32)


def slow_segmenter() -> tuple[Segmenter, SlowMean]:
    contract = Contract(
        input=dataclasses.replace(EXAMPLE.input, width=8, height=8),
        output=dataclasses.replace(EXAMPLE.output, width=8, height=8),
    )
    backend = SlowMean(contract)
    return Segmenter(backend, contract, Path("slow"), 1), backend


@pytest.mark.parametrize("call", list(CALLS))
def test_a_call_waits_until_the_one_before_is_done_with_the_tensor(call: str) -> None:
    segmenter, backend = slow_segmenter()
    levels = [10, 80, 150, 220]

    def values(level: int) -> set[int]:
        frame = np.full((8, 8, 3), level, np.uint8)
        return {round(float(value) * 255) for _ in range(10) for value in np.unique(CALLS[call](segmenter, frame))}

    assert at_once([lambda level=level: values(level) for level in levels]) == [{level} for level in levels]
    assert backend.most_inside == 1


def test_the_stages_take_no_lock_which_is_why_they_are_not_for_several_threads() -> None:
    segmenter, _ = slow_segmenter()
    tensor = segmenter.preprocess(np.full((8, 8, 3), 10, np.uint8))
    assert segmenter.preprocess(np.full((8, 8, 3), 220, np.uint8)) is tensor
    assert "preprocess" in str(Segmenter.__doc__)
    assert "no lock" in str(Segmenter.__doc__)


def test_a_thread_whose_frames_are_refused_does_not_hold_up_the_others() -> None:
    segmenter = segruntime.load(threads=1)
    frame = frame_of(0)
    expected = segmenter.alpha(frame)

    def good() -> list[Mask]:
        return [segmenter.alpha(frame) for _ in range(ROUNDS)]

    def bad() -> int:
        refused = 0
        for wrong in (np.zeros((4, 4, 3)), None, np.zeros((4, 4, 5), np.uint8)) * ROUNDS:
            with pytest.raises(FrameError):
                segmenter.alpha(wrong)  # type: ignore[arg-type]
            with pytest.raises(FrameError):
                segmenter.alpha(frame, out=np.zeros((1, 1), np.float32))
            refused += 1
        return refused

    *masks, refused = at_once([good, good, bad])
    assert refused == 3 * ROUNDS
    for mask in masks[0] + masks[1]:
        np.testing.assert_array_equal(mask, expected)


# ── two segmenters, one process ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("pair", [("tflite", "tflite"), ("onnx", "onnx"), ("tflite", "onnx")])
def test_two_segmenters_at_once_give_each_its_own_masks(pair: tuple[str, str]) -> None:
    alone = [segruntime.load(backend=backend, threads=1) for backend in pair]
    frames = [frame_of(0), frame_of(1)]
    expected = [segmenter.alpha(frame) for segmenter, frame in zip(alone, frames, strict=True)]
    both = [segruntime.load(backend=backend, threads=2) for backend in pair]

    def run(n: int) -> list[Mask]:
        return [both[n].alpha(frames[n]) for _ in range(2 * ROUNDS)]

    for masks, wanted in zip(at_once([lambda: run(0), lambda: run(1)]), expected, strict=True):
        for mask in masks:
            np.testing.assert_array_equal(mask, wanted)


def test_segmenters_that_are_loaded_and_dropped_leave_the_others_alone() -> None:
    kept = segruntime.load(threads=1)
    frame = frame_of(2)
    expected = kept.alpha(frame)

    def churn() -> list[Mask]:
        return [segruntime.load(threads=1).alpha(frame) for _ in range(4)]

    def use() -> list[Mask]:
        return [kept.alpha(frame) for _ in range(2 * ROUNDS)]

    for masks in at_once([churn, churn, use]):
        for mask in masks:
            np.testing.assert_array_equal(mask, expected)
