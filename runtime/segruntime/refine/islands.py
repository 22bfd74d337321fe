"""Small islands taken out of a soft mask, the rest left as soft as it was."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from segruntime.arrays import Alpha
from segruntime.errors import OptionError

_SKIRT = np.ones((7, 7), np.uint8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Islands:
    """What counts as one, and which are kept.

    `level`: a component is what hangs together above it, 0–1. `min_area`: components with a smaller share of the picture
    go, 0–1. `largest_only`: all but the largest go.
    """

    level: float = 0.1
    min_area: float = 0.0
    largest_only: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.level < 1 or not 0 <= self.min_area <= 1:
            raise OptionError(
                f"islands: got level={self.level}, min_area={self.min_area}, expected 0 ≤ level < 1, 0 ≤ min_area ≤ 1"
            )


def without_islands(mask: Alpha, islands: Islands) -> Alpha:
    """`(h, w) float32, 0–1` → the same with the islands set to 0; nothing else is touched, the argument neither.

    Components are 8-connected (`cv2.connectedComponentsWithStats`). An island goes with its skirt: what lies within
    three pixels of it and not within three of a component that is kept.
    """
    above = (mask > islands.level).view(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(above, connectivity=8)
    kept = _kept(np.asarray(stats[:, cv2.CC_STAT_AREA]), islands, mask.size)
    if kept[1:].all():
        return mask
    keep = kept.astype(np.uint8)[labels]
    gone = cv2.subtract(above, keep)
    skirt = cv2.dilate(gone, _SKIRT)
    safe = cv2.dilate(keep, _SKIRT)
    return np.where((gone > 0) | ((skirt > 0) & (safe == 0)), np.float32(0), mask)


def _kept(areas: npt.NDArray[np.int32], islands: Islands, pixels: int) -> npt.NDArray[np.bool_]:
    """Which labels stay, `(count,) bool`; label 0 is what lies below the level."""
    kept = areas >= islands.min_area * pixels
    kept[0] = False
    if islands.largest_only and len(areas) > 1:
        kept &= np.arange(len(areas)) == 1 + np.argmax(areas[1:])
    return kept
