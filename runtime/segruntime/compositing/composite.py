"""The person over another background, in 8-bit arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from segruntime.arrays import PICTURE, Alpha, Bytes, Sample, alpha_bytes, check_colour, check_out, checked
from segruntime.compositing.blend import blend
from segruntime.preprocess import Frame
from segruntime.resize import resized


def composite(frame: Frame, alpha: Alpha | Bytes, background: Frame | Sequence[int], out: Frame | None = None) -> Frame:
    """Blend `frame * alpha + background * (1 - alpha)`; at most 1.5 of 255 away from the exact value.

    With alpha as bytes it is the nearest byte. A float alpha is rounded to 255 steps (`alpha_bytes`) before: 1 away at most,
    and where the alpha is above 253.5 of 255, and taken for 1, up to 1.5.

    Args:
        frame: `(H, W, 3) uint8, BGR`.
        alpha: soft, `(H, W) float32, 0–1` or `(H, W) uint8, 0–255`. Outside 0–1 counts as the nearer end, NaN as background.
        background: `(h, w, 3) uint8, BGR`, scaled to cover the frame if its size differs; or one colour `(b, g, r)`.
        out: `(H, W, 3) uint8` with packed rows to write to; it may be `frame` itself. A new array where not given.

    Returns:
        `(H, W, 3) uint8, BGR`.

    Raises:
        FrameError: another type, dtype or shape.
    """
    frame = checked("frame", frame, "(H, W, 3) uint8, BGR", (PICTURE,))
    height, width = frame.shape[:2]
    expected = f"{(height, width)} float32, 0–1, the size of the frame; or uint8, 0–255"
    alpha = checked("alpha", alpha, expected, ((height, width),), (np.float32, np.uint8))
    out = check_out(out, frame.shape)
    behind = _background(background, height, width)
    return blend(frame, alpha_bytes(alpha), behind, out)


def _background(background: Any, height: int, width: int) -> Frame | Sequence[int]:
    """The background at the frame's size, or one colour."""
    if isinstance(background, np.ndarray) and background.ndim == 3:
        background = checked("background", background, "(h, w, 3) uint8, BGR", (PICTURE,))
        return background if background.shape[:2] == (height, width) else cover(background, height, width)
    expected = "a picture (h, w, 3) uint8 BGR or a colour (b, g, r)"
    return [int(value) for value in check_colour("background", background, (3,), expected)]


def cover(image: npt.NDArray[Sample], height: int, width: int) -> npt.NDArray[Sample]:
    """The middle of it, scaled with its aspect ratio kept so that it just covers `(height, width)`."""
    h, w = image.shape[:2]
    scale = max(height / h, width / w)
    # the middle first: a picture one pixel high would be scaled to gigabytes
    used_h, used_w = min(h, max(1, round(height / scale))), min(w, max(1, round(width / scale)))
    top, left = (h - used_h) // 2, (w - used_w) // 2
    middle = image[top : top + used_h, left : left + used_w]
    return resized(middle, (height, width), "area" if scale < 1 else "bilinear")
