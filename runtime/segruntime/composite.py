"""The person over another background, in 8-bit arithmetic, strip by strip so that everything stays in the cache."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from segruntime.errors import FrameError
from segruntime.postprocess import Alpha
from segruntime.preprocess import Frame

_STRIP_PIXELS = 48 * 1024  # about 150 KB a buffer: frame, background, alpha and two products fit into a core's L2 cache


def composite(frame: Frame, alpha: Alpha, background: Frame | Sequence[int], out: Frame | None = None) -> Frame:
    """Blend `frame * alpha + background * (1 - alpha)`; at most 1.5 of 255 away from the exact value.

    The alpha is rounded to 255 steps and each of the two products to a byte: half of 255 each. A value outside 0–1 is
    taken as the nearer end, NaN as 0.

    Args:
        frame: `(H, W, 3) uint8, BGR`.
        alpha: `(H, W) float32, 0–1`, soft.
        background: `(h, w, 3) uint8, BGR`, scaled to cover the frame if its size differs; or one colour `(b, g, r)`.
        out: `(H, W, 3) uint8` with packed rows to write to; it may be `frame` itself. A new array where not given.

    Returns:
        `(H, W, 3) uint8, BGR`.

    Raises:
        FrameError: another type, dtype or shape.
    """
    _check_image("frame", frame)
    height, width = frame.shape[:2]
    if not isinstance(alpha, np.ndarray) or alpha.dtype != np.float32 or alpha.shape != (height, width):
        got = f"{alpha.shape} {alpha.dtype}" if isinstance(alpha, np.ndarray) else type(alpha).__name__
        raise FrameError(f"alpha: got {got}, expected {(height, width)} float32, 0–1, the size of the frame")
    if out is None:
        out = np.empty((height, width, 3), np.uint8)
    else:
        _check_out(out, frame.shape)
    rows = max(1, min(height, _STRIP_PIXELS // width))
    strips = _background_strips(background, height, width, rows)
    _blend(frame, alpha, strips, rows, out)
    return out


def _blend(frame: Frame, alpha: Alpha, background: Frame, rows: int, out: Frame) -> None:
    height, width = alpha.shape
    constant = background.shape[0] != height
    over = np.empty((rows, width, 3), np.uint8)
    under = np.empty((rows, width, 3), np.uint8)
    clipped = np.empty((rows, width), np.float32)
    for top in range(0, height, rows):
        bottom = min(height, top + rows)
        n = bottom - top
        behind = background[:n] if constant else background[top:bottom]
        # the two thresholds are max(alpha, 0), which turns NaN into 0, and min(alpha, 1)
        cv2.threshold(alpha[top:bottom], 0, 0, cv2.THRESH_TOZERO, dst=clipped[:n])
        cv2.threshold(clipped[:n], 1, 0, cv2.THRESH_TRUNC, dst=clipped[:n])
        weight = cv2.convertScaleAbs(clipped[:n], alpha=255)
        weights = cv2.merge((weight, weight, weight))
        cv2.multiply(frame[top:bottom], weights, dst=over[:n], scale=1 / 255)
        cv2.multiply(behind, cv2.bitwise_not(weights, dst=weights), dst=under[:n], scale=1 / 255)
        cv2.add(over[:n], under[:n], dst=out[top:bottom])


def _background_strips(background: Frame | Sequence[int], height: int, width: int, rows: int) -> Frame:
    """The background at the frame's size; of a plain colour, one strip of it."""
    if isinstance(background, np.ndarray) and background.ndim == 3:
        _check_image("background", background)
        return background if background.shape[:2] == (height, width) else cover(background, height, width)
    colour = np.asarray(background)
    if colour.shape != (3,) or colour.dtype.kind not in "iu" or colour.min() < 0 or colour.max() > 255:
        raise FrameError(
            f"background: got {background!r:.80}, expected a picture (h, w, 3) uint8 BGR or a colour (b, g, r) of 0–255"
        )
    strip = np.empty((rows, width, 3), np.uint8)
    strip[:] = colour
    return strip


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


def _check_out(out: object, shape: tuple[int, ...]) -> None:
    if not isinstance(out, np.ndarray):
        raise FrameError(f"out: got {type(out).__name__}, expected a numpy array {shape} uint8")
    if out.shape != shape or out.dtype != np.uint8:
        raise FrameError(f"out: got {out.shape} {out.dtype}, expected {shape} uint8")
    if not out[0].flags.c_contiguous or out.strides[0] < 0 or not out.flags.writeable:
        raise FrameError("out: is read-only, flipped or skips pixels, expected packed rows that can be written to")


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
