"""One picture over another with a weight for each pixel, in 8-bit arithmetic: the kernel under `composite`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segruntime.errors import FrameError
from segruntime.share import take_share

Bytes = npt.NDArray[np.uint8]

_STRIP_PIXELS = 192 * 1024  # fewer pixels a strip: more calls than they save; more: buffers that leave the cache


def blend(over: Bytes, weight: Bytes, under: Bytes | int | Sequence[int], out: Bytes) -> Bytes:
    """`out = under + (over - under) * weight / 255`, rounded to the nearest byte.

    Where the weight is 255 `out` is `over`, where it is 0 it is `under`.

    Args:
        over: `(H, W) uint8`, a plane, or `(H, W, 3) uint8`, a picture; 0–255. Rows may be apart, as in a decoded video frame.
        weight: `(H, W) uint8`, 0–255.
        under: as `over`, or a constant: a whole number of 0–255 for a plane, three of them for a picture.
        out: as `over`, with packed pixels, to write to. It may be `over` or `under` itself, not another part of their memory.

    Returns:
        `out`.

    Raises:
        FrameError: another type, dtype or shape.
    """
    over = _packed(checked_bytes("over", over))
    weight = _packed(checked_bytes("weight", weight, over.shape[:2]))
    check_out(out, over.shape)
    height, width = over.shape[:2]
    rows = max(1, min(height, _STRIP_PIXELS // width))
    constant = not (isinstance(under, np.ndarray) and under.ndim == over.ndim)
    below = (
        _constant_strip(under, (rows, *over.shape[1:]))
        if constant
        else _packed(checked_bytes("under", under, over.shape))
    )
    for top in range(0, height, rows):
        strip = slice(top, min(height, top + rows))
        behind = below[: strip.stop - top] if constant else below[strip]
        _blend_strip(over[strip], weight[strip], behind, out[strip])
    return out


def _blend_strip(over: Bytes, weight: Bytes, under: Bytes, out: Bytes) -> None:
    # Finer shares of the frame where the weight is 0 or 255 could be copied too, but finding them, and OpenCV's arithmetic on
    # parts of rows, take longer than blending them.
    if not cv2.countNonZero(weight):
        np.copyto(out, under)
        return
    weights = weight if over.ndim == 2 else np.asarray(cv2.merge((weight, weight, weight)), np.uint8)
    # from `under` towards `over`, by a step without its sign: `over`, held within a step of `under` on both sides
    step = take_share(np.asarray(cv2.absdiff(over, under), np.uint8), weights)
    lowest = cv2.subtract(under, step)
    highest = cv2.add(under, step, dst=step)
    cv2.min(cv2.max(over, lowest, dst=lowest), highest, dst=out)


def _constant_strip(value: Any, shape: tuple[int, ...]) -> Bytes:
    constant = np.asarray(value)
    if constant.shape != shape[2:] or constant.dtype.kind not in "iu" or constant.min() < 0 or constant.max() > 255:
        expected = (
            "a picture (H, W, 3) uint8 or three numbers" if len(shape) == 3 else "a plane (H, W) uint8 or a number"
        )
        raise FrameError(f"under: got {value!r:.80}, expected {expected} of 0–255")
    strip = np.empty(shape, np.uint8)
    strip[0] = constant
    strip[1:] = strip[0]  # whole rows: numpy is slow at three bytes at a time
    return strip


def checked_bytes(name: str, image: object, shape: tuple[int, ...] | None = None) -> Bytes:
    """`image`, if it is uint8 and of this shape; a plane `(H, W)` or a picture `(H, W, 3)` where no shape is given.

    Raises:
        FrameError: it is something else, or empty.
    """
    if isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.size:
        if image.shape == shape:
            return image
        if shape is None and (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)):
            return image
    got = f"{image.shape} {image.dtype}" if isinstance(image, np.ndarray) else type(image).__name__
    raise FrameError(f"{name}: got {got}, expected {shape or '(H, W) or (H, W, 3)'} uint8, 0–255")


def check_out(out: object, shape: tuple[int, ...]) -> None:
    """That `out` is `shape` uint8 and can be written to in place.

    Raises:
        FrameError: it is not.
    """
    if not isinstance(out, np.ndarray):
        raise FrameError(f"out: got {type(out).__name__}, expected a numpy array {shape} uint8")
    if out.shape != shape or out.dtype != np.uint8:
        raise FrameError(f"out: got {out.shape} {out.dtype}, expected {shape} uint8")
    if not rows_are_packed(out) or not out.flags.writeable:
        raise FrameError("out: is read-only, flipped or skips pixels, expected packed rows that can be written to")


def rows_are_packed(image: Bytes) -> bool:
    """Each row without gaps and in order, the rows one below the other: what OpenCV takes without a copy."""
    return bool(image[0].flags.c_contiguous and image.strides[0] > 0)


def _packed(image: Bytes) -> Bytes:
    return image if rows_are_packed(image) else np.ascontiguousarray(image)
