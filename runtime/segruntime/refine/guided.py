"""The mask as a linear function of the luma around each pixel: He & Sun, "Fast Guided Filter", arXiv:1505.00996, 2015."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import cv2
import numpy as np

from segruntime.arrays import Alpha, Plane
from segruntime.errors import OptionError

Scale = Literal["mask", "half"]
_MAX_RADIUS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Guided:
    """The filter's window and its regulariser.

    `radius`: of the box, in pixels of the size at which statistics are taken. `eps`: variance of luma (0–1) below which an
    edge is taken for noise. `scale`: statistics at the mask's size, or at half the frame's (`shrink.half_size`).
    """

    radius: int
    eps: float
    scale: Scale = "mask"

    def __post_init__(self) -> None:
        if not 1 <= self.radius <= _MAX_RADIUS or not 0 < self.eps <= 1:
            raise OptionError(
                f"guided: got radius={self.radius}, eps={self.eps}, expected 1 ≤ radius ≤ {_MAX_RADIUS}, 0 < eps ≤ 1"
            )
        if self.scale not in ("mask", "half"):
            raise OptionError(f"guided: got scale={self.scale!r}, expected 'mask' or 'half'")


class Coefficients(NamedTuple):
    """`alpha = slope · luma + offset`, both 0–255; each `(h, w) float32`."""

    slope: Alpha
    offset: Alpha


class GuidedFilter:
    """Finds `Coefficients`; keeps its planes from call to call, for fresh memory costs more than the arithmetic."""

    def __init__(self, guided: Guided) -> None:
        self._side = (2 * guided.radius + 1, 2 * guided.radius + 1)
        self._eps = np.float32(guided.eps * 255 * 255)
        self._planes = np.empty((5, 0, 0), np.float32)

    def __call__(self, mask: Alpha, guide: Plane) -> Coefficients:
        """The paper's `a` and `b`, averaged over the windows that cover a pixel; valid until the next call.

        Args:
            mask: `(h, w) float32, 0–1`.
            guide: `(h, w) uint8`, the luma at the same size.
        """
        if self._planes.shape[1:] != mask.shape:
            self._planes = np.empty((5, *mask.shape), np.float32)
        mean_luma, mean_alpha, covariance, variance, product = self._planes
        alpha = np.multiply(mask, np.float32(255), out=product)
        self._box(guide, mean_luma)
        self._box(alpha, mean_alpha)
        self._box(np.multiply(alpha, guide, out=covariance), covariance)
        cv2.sqrBoxFilter(guide, cv2.CV_32F, self._side, dst=variance, borderType=cv2.BORDER_REFLECT)
        covariance -= np.multiply(mean_luma, mean_alpha, out=product)
        variance -= np.multiply(mean_luma, mean_luma, out=product)
        variance += self._eps
        slope = np.divide(covariance, variance, out=covariance)
        offset = np.subtract(mean_alpha, np.multiply(slope, mean_luma, out=product), out=mean_alpha)
        return Coefficients(self._box(slope, slope), self._box(offset, offset))

    def _box(self, plane: Alpha | Plane, out: Alpha) -> Alpha:
        return np.asarray(
            cv2.boxFilter(plane, cv2.CV_32F, self._side, dst=out, borderType=cv2.BORDER_REFLECT), np.float32
        )
