"""A share of a byte: `value * weight / 255`, the nearest byte, on every processor."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

from segruntime.arrays import Bytes


def take_share(values: Bytes, weights: Bytes) -> Bytes:
    """`values = values * weights / 255`, rounded to the nearest; there are no ties. Both uint8, of one shape, 0–255."""
    return _by_opencv(values, weights) if opencv_rounds() else _by_integers(values, weights)


@cache
def opencv_rounds() -> bool:
    """Whether OpenCV's product of bytes with a scale is the nearest byte here: on x86-64 it is, on aarch64 it is cut off."""
    values, weights = (np.ascontiguousarray(plane, np.uint8) for plane in np.indices((256, 256)))
    return bool(np.array_equal(_by_opencv(values.copy(), weights), _by_integers(values, weights)))


def _by_opencv(values: Bytes, weights: Bytes) -> Bytes:
    return np.asarray(cv2.multiply(values, weights, dst=values, scale=1 / 255), np.uint8)


def _by_integers(values: Bytes, weights: Bytes) -> Bytes:
    product = np.multiply(values, weights, dtype=np.uint16)
    product += 127
    product //= 255
    np.copyto(values, product, casting="unsafe")
    return values
