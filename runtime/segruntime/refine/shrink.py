"""The frame's luma at the size of a mask."""

from __future__ import annotations

from segruntime.arrays import Plane
from segruntime.resize import resized

_FINEST_PIXELS = 1 << 18


def shrink(guide: Plane, size: tuple[int, int]) -> Plane:
    """`(H, W) uint8` → `size = (h, w) uint8`, each pixel the mean of about what it covers.

    Halved as long as it is twice as large, and bilinear for what remains. Halved bilinearly too: of even sides that is the mean
    of four pixels, which OpenCV is forty times as fast at as at an area average of an odd ratio. A guide smaller than `size`
    is scaled up.
    """
    height, width = size
    while guide.shape[0] >= 2 * height and guide.shape[1] >= 2 * width:
        guide = _halved(guide)
    if guide.shape == size:
        return guide
    return resized(guide, size)


def half_size(frame: tuple[int, int], mask: tuple[int, int]) -> tuple[int, int]:
    """`(h, w)`: half the frame, or a quarter, … each side, of at most 2^18 pixels; the mask's size if that has more."""
    height, width = (frame[0] + 1) // 2, (frame[1] + 1) // 2
    while height * width > _FINEST_PIXELS:
        height, width = (height + 1) // 2, (width + 1) // 2
    return (height, width) if height * width > mask[0] * mask[1] else mask


def _halved(plane: Plane) -> Plane:
    return resized(plane, (plane.shape[0] // 2, plane.shape[1] // 2))
