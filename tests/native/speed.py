"""Core and Python runtime side by side, one thread, 1280x720, in one run: `PYTHONPATH=. python tests/native/speed.py`."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
from tests.native.conftest import MODELS, NATIVE

import segruntime
from segruntime import Refiner, composite

from segedge import Native, Opening  # isort: skip

MODEL = MODELS / "mobile_unet_int8.tflite"
ROUNDS = 60
SMALL_PARENT = (
    "import os, resource, sys; os.waitpid(os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ), 0); "
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
)


def median_ms(calls: dict[str, Callable[[], object]]) -> dict[str, float]:
    """The median of each call, in turn, so that what else the machine does falls on all of them."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for round_ in range(ROUNDS + 5):
        for name, call in calls.items():
            begun = time.perf_counter()
            call()
            if round_ >= 5:
                taken[name].append(1e3 * (time.perf_counter() - begun))
    return {name: statistics.median(times) for name, times in taken.items()}


def first_mask_ms(litert: Path, picture: Path) -> tuple[float, float]:
    """A process of the C example, from its start to its end, and the most memory that one took, in MB."""
    words = [
        str(NATIVE / "build" / "native" / "segedge_mask"),
        str(MODEL),
        str(picture),
        str(picture.with_suffix(".pgm")),
    ]
    environment = {**os.environ, "SEGEDGE_LITERT": str(litert)}
    taken = []
    for _ in range(10):
        begun = time.perf_counter()
        subprocess.run(words, env=environment, check=True, capture_output=True)
        taken.append(1e3 * (time.perf_counter() - begun))
    # a child counts its parent's memory until it begins, so a small parent
    driver = [sys.executable, "-I", "-S", "-c", SMALL_PARENT, *words]
    said = subprocess.run(driver, env=environment, check=True, capture_output=True, text=True).stdout
    return statistics.median(taken), int(said) / 1024


def main() -> None:
    spec = find_spec("ai_edge_litert")
    if not spec or not spec.origin:
        sys.exit("needs ai-edge-litert")
    cv2.setNumThreads(1)
    litert = Path(spec.origin).parent / "libLiteRt.so"
    native = Native(MODEL, Opening(NATIVE / "build" / "native" / "libsegedge.so", litert, 1))
    segmenter, refiner = segruntime.load(MODEL, threads=1), Refiner("balanced")
    noise = np.random.default_rng(1).integers(0, 256, (90, 160, 3), np.uint8)
    frame = cv2.resize(noise, (1280, 720), interpolation=cv2.INTER_CUBIC)
    alpha, green = refiner(segmenter.coarse(frame), cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)), (0, 255, 0)
    tensor = segmenter.preprocess(frame).copy()
    times = median_ms(
        {
            "invoke": lambda: segmenter.invoke(tensor),
            "mask, Python": lambda: segmenter.alpha(frame),
            "mask, core": lambda: native.mask(frame),
            "balanced, Python": lambda: refiner(segmenter.coarse(frame), cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)),
            "balanced, core": lambda: native.alpha(frame),
            "composite, Python": lambda: composite(frame, alpha, green),
            "composite, core": lambda: native.composite(frame, alpha, green),
        }
    )
    for name, ms in times.items():
        sys.stdout.write(f"{name:20} {ms:7.2f} ms  {ms / times['invoke']:5.2f} of the bare invoke\n")
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "frame.ppm"
        cv2.imwrite(str(picture), frame)
        ms, megabytes = first_mask_ms(litert, picture)
    sys.stdout.write(f"segedge_mask, a process from start to end: {ms:.1f} ms, at most {megabytes:.1f} MB\n")


if __name__ == "__main__":
    main()
