"""From the mask's size to the frame's: bilinear in 8 bits, or along the edges of the luma."""

from __future__ import annotations

import cv2
import numpy as np

from segruntime.arrays import Alpha, Plane
from segruntime.refine.guided import Coefficients
from segruntime.resize import BYTE_BILINEAR

_STRIP_PIXELS = 48 * 1024  # slope, offset and product of a strip are 600 KB: they stay in a core's cache


def bilinear(mask: Alpha, out: Plane) -> Plane:
    """Mask `(h, w) float32, 0–1` → alpha `(H, W) uint8` in `out`; an exact area average where the frame is smaller."""
    _scaled(np.asarray(cv2.convertScaleAbs(mask, alpha=255), np.uint8), out)
    return out


class EdgeUpsampler:
    """Applies `Coefficients` to the full luma; keeps two float planes of the frame's size from call to call."""

    def __init__(self) -> None:
        self._slope = self._offset = self._strip = np.empty((0, 0), np.float32)

    def __call__(self, found: Coefficients, guide: Plane, out: Plane) -> Plane:
        """`slope · guide + offset`, scaled up bilinearly, rounded and saturated: `(H, W) uint8` in `out`."""
        height, width = guide.shape
        rows = max(1, min(height, _STRIP_PIXELS // width))
        if self._slope.shape != guide.shape:
            self._slope, self._offset = np.empty(guide.shape, np.float32), np.empty(guide.shape, np.float32)
            self._strip = np.empty((rows, width), np.float32)
        _scaled(found.slope, self._slope)
        _scaled(found.offset, self._offset)
        for top in range(0, height, rows):
            strip = slice(top, min(height, top + rows))
            product = self._strip[: strip.stop - top]
            np.multiply(self._slope[strip], guide[strip], out=product)
            cv2.add(product, self._offset[strip], dst=out[strip], dtype=cv2.CV_8U)
        return out


def _scaled(plane: Alpha | Plane, out: Alpha | Plane) -> None:
    height, width = out.shape
    smaller = height < plane.shape[0] and width < plane.shape[1]
    linear = BYTE_BILINEAR if plane.dtype == np.uint8 else cv2.INTER_LINEAR
    interpolation = cv2.INTER_AREA if smaller else linear
    cv2.resize(plane, (width, height), dst=out, interpolation=interpolation)
