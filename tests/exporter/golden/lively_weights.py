"""Weights and pictures from nothing but names and shapes, the same on every machine and in every version of numpy.

The stream of `numpy.random.RandomState` is frozen for good, and zlib.crc32 is a standard: so the script that ran
torchvision and the tests that run without it see the same numbers.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

RANGES = {"running_mean": (-0.3, 0.3), "running_var": (0.5, 2.0), "bias": (-0.1, 0.1), "gamma": (0.7, 1.3)}
LAST_GAMMA = (0.2, 0.4)  # of a residual branch: its sum over many blocks then stays small
SLOPE = (0.05, 0.4)  # of a PReLU, told by the names that ExtremeC3 and SINet give theirs
PRELU = re.compile(r"(^|\.)act\.weight|\.act_conv1x1\.0\.|\.dense\.[13]\.|d[123]\.conv\.2\.")
BEFORE_SOFTMAX = (0.002, 0.02)  # of SINet's bn_3: its softmax is a gate, and has to be neither open nor shut
PICTURE_RANGE = (-2.0, 2.0)  # what ImageNet's mean and standard deviation make of 0..1


def uniform(name: str, shape: tuple[int, ...], low: float, high: float) -> npt.NDArray[np.float32]:
    """`shape` float32, low..high, another stream for each name."""
    stream = np.random.RandomState(zlib.crc32(name.encode()))
    return (low + (high - low) * stream.random_sample(shape)).astype(np.float32)


def lively(key: str, shape: tuple[int, ...]) -> npt.NDArray[np.float32] | npt.NDArray[np.int64]:
    """The tensor that belongs under `key`: He-scaled weights, batch norms that do something."""
    kind = key.rpartition(".")[2]
    if kind == "num_batches_tracked":
        return np.asarray(1, dtype=np.int64)
    if kind == "weight" and len(shape) == 1:
        return uniform(key, shape, *_one_dimensional(key))
    if kind == "weight":
        bound = math.sqrt(6 / math.prod(shape[1:]))
        return uniform(key, shape, -bound, bound)
    return uniform(key, shape, *RANGES[kind])


def _one_dimensional(key: str) -> tuple[float, float]:
    """The range of a batch norm's weights, or of a PReLU's."""
    if PRELU.search(key):
        return SLOPE
    if key.startswith("bn_3."):
        return BEFORE_SOFTMAX
    return LAST_GAMMA if ".bn3." in key else RANGES["gamma"]


def lively_state_dict(
    shapes: Mapping[str, tuple[int, ...]],
) -> dict[str, npt.NDArray[np.float32] | npt.NDArray[np.int64]]:
    """One array for each key."""
    return {key: lively(key, shape) for key, shape in shapes.items()}


def picture(height: int, width: int) -> npt.NDArray[np.float32]:
    """`(1, 3, height, width)` float32, already normalised; noise, which is no picture, but reaches every weight."""
    return uniform(f"picture {height}x{width}", (1, 3, height, width), *PICTURE_RANGE)


def positions(name: str, size: int, count: int = 64) -> npt.NDArray[np.int64]:
    """`(count,)` int64: places in a flattened output of `size` numbers."""
    return np.random.RandomState(zlib.crc32(name.encode())).randint(0, size, count).astype(np.int64)


def fingerprint(shapes: Mapping[str, tuple[int, ...]]) -> int:
    """One number for all keys and shapes, in any order."""
    lines = sorted(f"{key} {tuple(shape)}" for key, shape in shapes.items())
    return zlib.crc32("\n".join(lines).encode())
