"""The core's steps of one model's vectors, written as `segexport check-port` reads them, and how near they must be."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

BOUNDS = {"input": 0.0, "output": 0.0, "probability": 0.0, "coarse": 0.0, "alpha": 1e-6, "fast": 0.0, "balanced": 2.0}
"""The largest difference of each step, where LiteRT is the same; the refiner's of 255."""
Frame = dict[str, Any]


def made_vectors(model: Path, folder: Path) -> Frame:
    """Vectors of one model file, written by the command; its entry in their index."""
    command = [sys.executable, "-m", "segexport", "vectors", str(model), "-o", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    (entry,) = json.loads((folder / "index.json").read_text())["models"]
    return dict(entry)


def read(vectors: Path, entry: dict[str, Any]) -> np.ndarray:
    return np.frombuffer((vectors / entry["file"]).read_bytes(), np.dtype(entry["dtype"])).reshape(entry["shape"])


def stream_of(model: Frame, reset: Callable[[], None]) -> Iterator[tuple[str, Frame]]:
    """Preset and frame, in the order of the stream; `reset` is called before each preset's first."""
    for preset in ("fast", "balanced"):
        reset()
        for frame in model["stream"]:
            yield preset, frame


def check(model: Frame, vectors: Path, port: Path, network: float = 0) -> None:
    """What is in `port` passes `segexport check-port`, and keeps `BOUNDS` in every step.

    `network`: by how much its output may differ where its kernels are another processor's.

    Raises:
        AssertionError: it does not.
    """
    command = [sys.executable, "-m", "segexport", "check-port", str(vectors), str(port)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
    seen = set()
    for frame in (*model["frames"], *model["stream"]):
        for step in BOUNDS.keys() & frame["arrays"].keys():
            entry = frame["arrays"][step]
            found = np.fromfile(port / entry["file"], entry["dtype"]).reshape(entry["shape"])
            apart = np.abs(found.astype(float) - read(vectors, entry)).max()
            after = 1 if network and step == "fast" else network if step != "input" else 0
            assert apart <= BOUNDS[step] + after, (frame["name"], step, apart)
            seen.add(step)
    assert seen == set(BOUNDS)
