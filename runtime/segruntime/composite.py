"""The person over another background, in 8-bit arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from segruntime.blend import Bytes, check_out
from segruntime.blend import blend as blend
from segruntime.errors import FrameError
from segruntime.postprocess import Alpha
from segruntime.preprocess import Frame

_STRIP_PIXELS = 192 * 1024  # of one clipped strip of alpha: fewer and the calls take longer than they save


def composite(frame: Frame, alpha: Alpha | Bytes, background: Frame | Sequence[int], out: Frame | None = None) -> Frame:
    """Blend `frame * alpha + background * (1 - alpha)`; at most 1.5 of 255 away from the exact value.

    With alpha as bytes it is the nearest byte. A float alpha is rounded to 255 steps (`alpha_bytes`) before: 1 away at most,
    and where the alpha is above 253.5 of 255, and taken for 1, up to 1.5.

    Args:
        frame: `(H, W, 3) uint8, BGR`.
        alpha: soft, `(H, W) float32, 0–1` or `(H, W) uint8, 0–255`.
        background: `(h, w, 3) uint8, BGR`, scaled to cover the frame if its size differs; or one colour `(b, g, r)`.
        out: `(H, W, 3) uint8` with packed rows to write to; it may be `frame` itself. A new array where not given.

    Returns:
        `(H, W, 3) uint8, BGR`.

    Raises:
        FrameError: another type, dtype or shape.
    """
    _check_image("frame", frame)
    height, width = frame.shape[:2]
    _check_alpha(alpha, (height, width))
    if out is None:
        out = np.empty((height, width, 3), np.uint8)
    else:
        check_out(out, frame.shape)
    behind = _background(background, height, width)
    return blend(frame, alpha_bytes(alpha), behind, out)


def alpha_bytes(alpha: Alpha | Bytes) -> Bytes:
    """Alpha as bytes: `(H, W) float32, 0–1` → `(H, W) uint8, 0–255`; half of 255 away at most, above 253.5 up to 1.5.

    254 becomes 255: an 8-bit sigmoid has steps of 1/256 and calls its most certain pixels 255/256, which would let a
    shimmer of the background through the whole person. A value outside 0–1 is taken as the nearer end, NaN as 0. Bytes
    are returned as they are.
    """
    if alpha.dtype == np.uint8:
        return np.asarray(alpha, np.uint8)
    height, width = alpha.shape
    rows = max(1, min(height, _STRIP_PIXELS // width))
    out = np.empty((height, width), np.uint8)
    clipped = np.empty((rows, width), np.float32)
    for top in range(0, height, rows):
        strip = slice(top, min(height, top + rows))
        n = strip.stop - top
        # the two thresholds are max(alpha, 0), which turns NaN into 0, and min(alpha, 1)
        cv2.threshold(alpha[strip], 0, 0, cv2.THRESH_TOZERO, dst=clipped[:n])
        cv2.threshold(clipped[:n], 1, 0, cv2.THRESH_TRUNC, dst=clipped[:n])
        cv2.convertScaleAbs(clipped[:n], dst=out[strip], alpha=255)
        _, certain = cv2.threshold(out[strip], 253, 255, cv2.THRESH_BINARY)
        cv2.bitwise_or(out[strip], certain, dst=out[strip])
    return out


def _background(background: Any, height: int, width: int) -> Frame | Sequence[int]:
    """The background at the frame's size, or one colour."""
    if isinstance(background, np.ndarray) and background.ndim == 3:
        _check_image("background", background)
        return background if background.shape[:2] == (height, width) else cover(background, height, width)
    colour = np.asarray(background)
    if colour.shape != (3,) or colour.dtype.kind not in "iu" or colour.min() < 0 or colour.max() > 255:
        raise FrameError(
            f"background: got {background!r:.80}, expected a picture (h, w, 3) uint8 BGR or a colour (b, g, r) of 0–255"
        )
    return [int(value) for value in colour]


def cover(image: Frame, height: int, width: int) -> Frame:
    """The middle of it, scaled with its aspect ratio kept so that it just covers `(height, width)`."""
    h, w = image.shape[:2]
    scale = max(height / h, width / w)
    # the middle first: a picture one pixel high would be scaled to gigabytes
    used_h, used_w = min(h, max(1, round(height / scale))), min(w, max(1, round(width / scale)))
    top, left = (h - used_h) // 2, (w - used_w) // 2
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    middle = image[top : top + used_h, left : left + used_w]
    return np.asarray(cv2.resize(middle, (width, height), interpolation=interpolation), np.uint8)


def _check_alpha(alpha: object, size: tuple[int, int]) -> None:
    if not isinstance(alpha, np.ndarray) or alpha.dtype not in (np.float32, np.uint8) or alpha.shape != size:
        got = f"{alpha.shape} {alpha.dtype}" if isinstance(alpha, np.ndarray) else type(alpha).__name__
        raise FrameError(f"alpha: got {got}, expected {size} float32, 0–1, the size of the frame; or uint8, 0–255")


def _check_image(name: str, image: object) -> None:
    if (
        not isinstance(image, np.ndarray)
        or image.dtype != np.uint8
        or image.ndim != 3
        or image.shape[2] != 3
        or not image.size
    ):
        got = f"{image.shape} {image.dtype}" if isinstance(image, np.ndarray) else type(image).__name__
        raise FrameError(f"{name}: got {got}, expected (H, W, 3) uint8, BGR")
