"""A port of the runtime's steps in numpy alone, as docs/porting.md describes them, from the files of `segexport vectors`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def index_of(vectors: Path) -> dict[str, Any]:
    return dict(json.loads((vectors / "index.json").read_text()))


def read(vectors: Path, entry: dict[str, Any]) -> Array:
    """As a port would: the plain bytes, the dtype and the shape."""
    data = (vectors / entry["file"]).read_bytes()
    return np.frombuffer(data, np.dtype(entry["dtype"]).newbyteorder("<")).reshape(entry["shape"])


def two_pixels(count: int, source: int) -> tuple[Array, Array, Array]:
    at = (np.arange(count) + 0.5) * (1 / (count / source)) - 0.5
    before = np.floor(at).astype(int)
    weight = at - before
    weight[(before < 0) | (before >= source - 1)] = 0
    before = np.clip(before, 0, source - 1)
    return before, np.minimum(before + 1, source - 1), weight


def resized(frame: Array, width: int, height: int) -> Array:
    """`(H, W, 3) uint8` → `(height, width, 3) uint8` in whole numbers."""
    left, right, x = two_pixels(width, frame.shape[1])
    above, below, y = two_pixels(height, frame.shape[0])
    x, y = np.rint(256 * x).astype(int)[None, :, None], np.rint(256 * y).astype(int)[:, None, None]
    rows = (256 - x) * frame[:, left].astype(int) + x * frame[:, right].astype(int)
    return (((256 - y) * rows[above] + y * rows[below] + 32768) >> 16).astype(np.uint8)


def scaled_up(mask: Array, width: int, height: int) -> Array:
    left, right, x = two_pixels(width, mask.shape[1])
    above, below, y = two_pixels(height, mask.shape[0])
    rows = mask[:, left] * (1 - x[None]) + mask[:, right] * x[None]
    return (rows[above] * (1 - y[:, None]) + rows[below] * y[:, None]).astype(np.float32)


def ported(model: dict[str, Any], frame: dict[str, Any], vectors: Path) -> dict[str, Array]:
    """Frame → input; stored output → probability and alpha. Stretch and one channel of probability only."""
    spec, out = model["contract"]["input"], model["contract"]["output"]
    assert (spec["resize"], spec["color"], out["meaning"], out["channels"]) == ("stretch", "rgb", "probability", 1)
    small = resized(read(vectors, frame["arrays"]["frame"]), spec["width"], spec["height"])
    tensor = (small / 255).astype(np.float32)
    if spec["dtype"] != "float32":
        tensor = np.clip(np.rint(small / 255 / spec["scale"]) + spec["zero_point"], -128, 255).astype(spec["dtype"])
    tensor = tensor[None] if spec["layout"] == "NHWC" else tensor.transpose(2, 0, 1)[None]
    output = read(vectors, frame["arrays"]["output"])
    real = output.reshape(out["height"], out["width"]).astype(np.float32)
    if "scale" in out:
        real = (out["scale"] * (real - out["zero_point"])).astype(np.float32)
    probability = np.clip(real, 0, 1)
    alpha = scaled_up(probability, frame["width"], frame["height"])
    return {"input": tensor, "output": output, "probability": probability, "alpha": alpha}


def write_port(vectors: Path, port: Path, change: Callable[[str, Array], Array] = lambda _, array: array) -> Path:
    for model in index_of(vectors)["models"]:
        (port / model["folder"]).mkdir(parents=True)
        for frame in model["frames"]:
            for step, array in ported(model, frame, vectors).items():
                (port / frame["arrays"][step]["file"]).write_bytes(np.ascontiguousarray(change(step, array)).tobytes())
    return port
