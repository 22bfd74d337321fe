"""A share of a byte: `value * weight / 255`, the nearest byte, on every processor."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from segruntime.arrays import Bytes, Sample


def take_share(values: npt.NDArray[Sample], weights: Bytes) -> npt.NDArray[Sample]:
    """`values = values * weights / 255`, rounded to the nearest; there are no ties.

    `weights`: uint8, 0–255. `values`: of the same shape, uint8, or uint16 of any value.
    """
    is_byte = values.dtype == np.uint8
    return _by_opencv(values, weights) if is_byte and opencv_rounds() else _by_integers(values, weights)


@cache
def opencv_rounds() -> bool:
    """Whether OpenCV's product of bytes with a scale is the nearest byte here: on x86-64 it is, on aarch64 it is cut off."""
    values, weights = (np.ascontiguousarray(plane, np.uint8) for plane in np.indices((256, 256)))
    return bool(np.array_equal(_by_opencv(values.copy(), weights), _by_integers(values, weights)))


def _by_opencv(values: npt.NDArray[Sample], weights: Bytes) -> npt.NDArray[Sample]:
    return np.asarray(cv2.multiply(values, weights, dst=values, scale=1 / 255), values.dtype)


def _by_integers(values: npt.NDArray[Sample], weights: Bytes) -> npt.NDArray[Sample]:
    product = np.multiply(values, weights, dtype=np.uint16 if values.dtype == np.uint8 else np.uint32)
    product += 127
    product //= 255
    np.copyto(values, product, casting="unsafe")
    return values
