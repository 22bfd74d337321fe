"""The resizes of bytes, the same bytes on every processor and with every version of OpenCV: docs/exactness.md."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segruntime.arrays import Sample

# INTER_LINEAR gives up to 3 of 255 more or less on aarch64; the exact one is the fixed-point arithmetic that docs/contract.md
# writes down, the same everywhere
BYTE_BILINEAR = cv2.INTER_LINEAR_EXACT


def resized(
    image: npt.NDArray[Sample], size: tuple[int, int], how: str = "bilinear", out: npt.NDArray[Sample] | None = None
) -> npt.NDArray[Sample]:
    """`(H, W[, C]) uint8`, or `uint16` → `size = (h, w)`, by a contract's `interpolation`; written to `out` where given.

    `bilinear` and `nearest` are equal to the bit everywhere, `area` is but for a byte in 500, which is one more or less: its
    means are float32 where a side's ratio is no whole number.
    """
    if how == "nearest":
        return _nearest(image, size, out)
    interpolation = cv2.INTER_AREA if how == "area" else BYTE_BILINEAR
    return np.asarray(cv2.resize(image, size[::-1], dst=out, interpolation=interpolation), image.dtype)


def halved(image: npt.NDArray[Sample]) -> npt.NDArray[Sample]:
    """`(H, W[, C]) uint8` or `uint16` → `(⌈H/2⌉, ⌈W/2⌉[, C])`: means of four pixels, of the two or the one at an odd end.

    The area average of an odd side is float32, which rounds as the processor likes, and takes ten times as long.
    """
    height, width = image.shape[:2]
    if height % 2 or width % 2:
        even = cv2.copyMakeBorder(image, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        image = np.asarray(even, image.dtype)
    size = ((width + 1) // 2, (height + 1) // 2)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), image.dtype)


def _nearest(image: npt.NDArray[Sample], size: tuple[int, int], out: npt.NDArray[Sample] | None) -> npt.NDArray[Sample]:
    """The pixel under the centre, as OpenCV 4's INTER_NEAREST_EXACT; OpenCV 5's takes another where it lies between two."""
    rows, columns = (_under_centres(count, source) for count, source in zip(size, image.shape[:2], strict=True))
    # without a mode numpy checks every index, and copies `out`
    return np.asarray(np.take(image[rows], columns, axis=1, out=out, mode="clip"), image.dtype)


@lru_cache(maxsize=16)
def _under_centres(count: int, source: int) -> npt.NDArray[Any]:
    """For each of `count` pixels the one of `source`, in 16 bits of fixed point: docs/contract.md."""
    step = (source * 65536 + count // 2) // count
    at = (step * np.arange(count) + (step >> 1) - source % 2) >> 16
    nearest: npt.NDArray[Any] = np.minimum(at, source - 1)
    return nearest
