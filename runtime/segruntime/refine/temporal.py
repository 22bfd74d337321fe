"""Steady masks: where the picture stands still, the past has a say; where it moves, it has none."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from segruntime.arrays import Alpha, Plane
from segruntime.errors import OptionError
from segruntime.refine.bounds import smoothstep

# the squared binary entropy as a polynomial in (p - 0.5)², as MediaPipe's SegmentationSmoothingCalculator has it
_COEFFICIENTS = (5.68842, -0.748699, -57.8051, 291.309, -624.717)
_STEPS_PER_LEVEL = 16  # of the motion's mean, in 8 bits: up to 255 / 16 levels
_WINDOW = (5, 5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Temporal:
    """How much of the past is kept where the picture stands still, 0 to less than 1.

    `sure`: where the network is sure (p near 0 or 1); `unsure`: at p = 0.5; between them by the uncertainty. Motion is the
    mean change of luma around a pixel in levels of 255: up to `still` nothing moves, from `moving` on the past is dropped;
    at most 15, or infinity, for which nothing ever moves: with `sure=0` that is MediaPipe's blend as it is.
    """

    sure: float
    unsure: float
    still: float = 1.0
    moving: float = 5.0

    def __post_init__(self) -> None:
        if not 0 <= self.sure <= self.unsure < 1:
            raise OptionError(f"temporal: got sure={self.sure}, unsure={self.unsure}, expected 0 ≤ sure ≤ unsure < 1")
        if not 0 <= self.still < self.moving or self.still > 15 or 15 < self.moving < math.inf:
            raise OptionError(
                f"temporal: got still={self.still}, moving={self.moving}, expected 0 ≤ still < moving ≤ 15, or moving=inf"
            )


def uncertainty(p: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """How unsure a probability is, its binary entropy squared: 1 at 0.5, 0 at 0 and at 1; any shape, 0–1."""
    t = (p - 0.5) ** 2
    certainty = np.zeros_like(t)
    for coefficient in reversed(_COEFFICIENTS):
        certainty = t * (coefficient + certainty)
    return np.asarray(1 - np.clip(certainty, 0, 1))


def memory_table(temporal: Temporal) -> Alpha:
    """The past's share for each probability in 255 steps, `(256,) float32`: `sure` + (`unsure` - `sure`) · uncertainty."""
    unsure = uncertainty(np.arange(256) / 255)
    return np.asarray(temporal.sure + (temporal.unsure - temporal.sure) * unsure, np.float32)


def stillness_table(temporal: Temporal) -> Alpha:
    """The factor on that share for each step of `motion`, `(256,) float32`: 1 at rest, 0 in motion."""
    levels = np.arange(256) / _STEPS_PER_LEVEL
    return np.asarray(1 - smoothstep(levels, temporal.still, temporal.moving), np.float32)


def motion(guide: Plane, previous: Plane) -> Plane:
    """Mean change of luma in the 5x5 pixels around each, `(h, w) uint8` in sixteenths of a level, 255 for all above.

    Motion detection before a recursive filter is Dubois & Sabri, "Noise reduction in image sequences using
    motion-compensated temporal filtering", IEEE Trans. Communications 32(7), 1984.
    """
    change = cv2.absdiff(guide, previous)
    steps = cv2.convertScaleAbs(change, alpha=_STEPS_PER_LEVEL)
    return np.asarray(cv2.blur(steps, _WINDOW, borderType=cv2.BORDER_REPLICATE), np.uint8)


def blended(mask: Alpha, previous: Alpha, moved: Plane, memory: Alpha, stillness: Alpha) -> Alpha:
    """`mask + (previous - mask) · memory(mask) · stillness(motion)`, `(h, w) float32, 0–1`, a new array.

    `memory` and `stillness` are the two tables, `moved` is `motion`'s result.
    """
    share = cv2.LUT(cv2.convertScaleAbs(mask, alpha=255), memory)
    cv2.multiply(share, cv2.LUT(moved, stillness), dst=share)
    past = cv2.subtract(previous, mask)
    cv2.multiply(past, share, dst=past)
    return np.asarray(cv2.add(past, mask, dst=past), np.float32)
