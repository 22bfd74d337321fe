"""What the calls are tried on: the same bytes on every machine, for they are made of whole numbers alone."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


@cache
def picture(height: int, width: int, channels: int = 3) -> Bytes:
    """`(height, width, channels) uint8`: ramps, a disk with a soft edge, a chequered corner, and noise over all of it."""
    y, x = np.mgrid[:height, :width]
    ramp = (255 * x // max(1, width - 1)) ^ (y // 7)
    distance = (4 * (x - width // 2) ** 2 // max(1, width) + 4 * (y - height // 2) ** 2 // max(1, height)) // 2
    disk = np.clip(160 - distance, 0, 255)
    board = np.where((x < width // 3) & (y < height // 3), 255 * ((x + y) % 2), 0)
    noise = np.random.default_rng(height * 10007 + width).integers(-12, 13, (height, width, channels))
    layers = (ramp, disk, board, np.maximum(ramp, disk))[:channels]
    return _frozen(np.clip(np.stack(layers, axis=-1) + noise, 0, 255).astype(np.uint8))


@cache
def plane(height: int, width: int) -> Bytes:
    """`(height, width) uint8`: the first layer of a `picture`."""
    return _frozen(np.ascontiguousarray(picture(height, width)[..., 0]))


@cache
def weights(height: int, width: int) -> Bytes:
    """`(height, width) uint8`: a person, 255 inside, 0 outside, a soft edge of some pixels between."""
    y, x = np.mgrid[:height, :width]
    # twice the distance from an upright ellipse, in pixels or so
    inside = width // 4 - np.abs(2 * x - width) // 2 + height // 3 - np.abs(2 * y - height) // 2
    return _frozen(np.clip(128 + 13 * inside, 0, 255).astype(np.uint8))


@cache
def mask(height: int, width: int) -> Floats:
    """`(height, width) float32, 0–1`: such a person in steps of 1/256 as an 8-bit sigmoid has them."""
    return _frozen(weights(height, width).astype(np.float32) / np.float32(256))


@cache
def every_pair() -> tuple[Bytes, Bytes]:
    """Every byte next to every byte, `(256, 256) uint8` twice."""
    first, second = np.indices((256, 256)).astype(np.uint8)
    return _frozen(np.ascontiguousarray(first)), _frozen(np.ascontiguousarray(second))


@cache
def ties() -> Floats:
    """`(2, 1021) float32` around what rounds either way: k/510 and its neighbours, for alphas from -0.5 to 1.5."""
    exact = (np.arange(-255, 766, dtype=np.float32) / np.float32(510))[None]
    return _frozen(np.concatenate([exact, np.nextafter(exact, np.float32(9))]))


@cache
def odd_floats() -> Floats:
    """`(9, 67) float32` with everything that a network may give by mistake; no width of a vector divides 67."""
    odd = [
        np.nan,
        np.inf,
        -np.inf,
        1e-45,
        -1e-45,
        1e-39,
        1e38,
        -1e38,
        0.0,
        -0.0,
        1.0,
        0.5,
        254.5 / 255,
        2.0,
        -1.0,
        1e10,
    ]
    return _frozen(np.resize(np.array(odd, np.float32), (9, 67)))


@cache
def logits(channels: int) -> Floats:
    """`(channels, 48, 65) float32` from -30 to 30 in steps of 1/64."""
    steps = np.random.default_rng(channels).integers(-1920, 1921, (channels, 48, 65))
    return _frozen(steps.astype(np.float32) / np.float32(64))


def _frozen(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    array.setflags(write=False)
    return array
