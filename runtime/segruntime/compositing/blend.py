"""One picture over another with a weight for each pixel, in integers: the kernel under `composite`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segruntime.arrays import Bytes, Sample, check_bytes, check_colour, check_out, check_samples, most, packed
from segruntime.compositing.byte_product import take_share

_STRIP_PIXELS = 192 * 1024  # fewer pixels a strip: more calls than they save; more: buffers that leave the cache


def blend(
    over: npt.NDArray[Sample],
    weight: Bytes,
    under: npt.NDArray[Sample] | int | Sequence[int],
    out: npt.NDArray[Sample] | None = None,
) -> npt.NDArray[Sample]:
    """`out = under + (over - under) * weight / 255`, rounded to the nearest whole number.

    Where the weight is 255 `out` is `over`, where it is 0 it is `under`.

    Args:
        over: `(H, W)`, a plane, or `(H, W, 3)`, a picture; uint8, 0–255, or uint16, 10 bits, 0–1023. Rows may be apart, as in
            a decoded video frame.
        weight: `(H, W) uint8`, 0–255.
        under: as `over`, or a constant: a whole number of its range for a plane, three of them for a picture.
        out: as `over`, with packed pixels, to write to. It may be `over` or `under` itself, not another part of their memory.
            A new array where not given.

    Returns:
        `out`.

    Raises:
        FrameError: another type, dtype or shape.
    """
    over = packed(check_samples("over", over))
    weight = packed(check_bytes("weight", weight, over.shape[:2]))
    out = check_out(out, over.shape, over.dtype.type)
    height, width = over.shape[:2]
    rows = max(1, min(height, _STRIP_PIXELS // width))
    constant = not (isinstance(under, np.ndarray) and under.ndim == over.ndim)
    below = _constant_strip(under, over[:rows]) if constant else packed(check_samples("under", under, over))
    for top in range(0, height, rows):
        strip = slice(top, min(height, top + rows))
        behind = below[: strip.stop - top] if constant else below[strip]
        _blend_strip(over[strip], weight[strip], behind, out[strip])
    return out


def _blend_strip(
    over: npt.NDArray[Sample], weight: Bytes, under: npt.NDArray[Sample], out: npt.NDArray[Sample]
) -> None:
    # Finer shares of the frame where the weight is 0 or 255 could be copied too, but finding them, and OpenCV's arithmetic on
    # parts of rows, take longer than blending them.
    if not cv2.countNonZero(weight):
        np.copyto(out, under)
        return
    weights = weight if over.ndim == 2 else np.asarray(cv2.merge((weight, weight, weight)), np.uint8)
    # from `under` towards `over`, by a step without its sign: `over`, held within a step of `under` on both sides
    step = take_share(np.asarray(cv2.absdiff(over, under), over.dtype), weights)
    lowest = cv2.subtract(under, step)
    highest = cv2.add(under, step, dst=step)
    cv2.min(cv2.max(over, lowest, dst=lowest), highest, dst=out)


def _constant_strip(value: Any, like: npt.NDArray[Sample]) -> npt.NDArray[Sample]:
    kind, other = ("a picture (H, W, 3)", "three numbers") if like.ndim == 3 else ("a plane (H, W)", "a number")
    strip = np.empty_like(like, order="C")
    strip[0] = check_colour("under", value, like.shape[2:], f"{kind} {like.dtype} or {other}", most(like.dtype))
    strip[1:] = strip[0]  # whole rows: numpy is slow at three bytes at a time
    return strip
