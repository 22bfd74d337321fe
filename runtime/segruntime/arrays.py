"""Every check of an array that comes in, and the one rule for alpha: outside 0–1 is the nearer end, NaN is background.

The rule stands on `alpha > 0`, which is false for every NaN on every processor (IEEE 754, section 5.11). What others make of
NaN depends on the machine: `cv2.threshold` gives a person on IPP's path for AVX2, `np.fmax` keeps a signaling one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from segruntime.errors import FrameError

Bytes = npt.NDArray[np.uint8]
Plane = Bytes
Samples = npt.NDArray[np.uint8 | np.uint16]
"""Of a plane or picture of 8 bits, or of 10 bits, 0–1023."""
Sample = TypeVar("Sample", bound=np.uint8 | np.uint16)
Alpha = npt.NDArray[np.float32]
Shape = tuple[int, ...]

PLANE, PICTURE = (-1, -1), (-1, -1, 3)  # -1: any size from 1
_FRAMES = (PLANE, (-1, -1, 1), PICTURE, (-1, -1, 4))
_ZERO, _ONE = np.float32(0), np.float32(1)
_MOST_CERTAIN, _BYTE_STEPS = np.float32(255 / 256), np.float32(256 / 255)  # of an 8-bit sigmoid; their product is 1
_STRIP_PIXELS = 64 * 1024  # its floats stay in a core's cache; with fewer the calls take longer than they save


def checked(
    name: str,
    array: object,
    expected: str,
    shapes: Sequence[Shape] = (PLANE,),
    dtypes: Sequence[type[np.generic]] = (np.uint8,),
) -> npt.NDArray[Any]:
    """`array`, if it is one of these dtypes and shapes, and holds something; `expected` is how the error puts that.

    Raises:
        FrameError: it is not.
    """
    if not isinstance(array, np.ndarray):
        raise FrameError(f"{name}: got {type(array).__name__}, expected a numpy array {expected}")
    if array.dtype not in dtypes or not _fits(array.shape, shapes):
        raise FrameError(f"{name}: got {_described(array)}, expected {expected}")
    return array


def check_frame(frame: object) -> Bytes:
    """The frame as OpenCV can read it: `(H, W) | (H, W, 1) | (H, W, 3) | (H, W, 4) uint8`, BGR; copied only if it must be.

    Raises:
        FrameError: no array, another dtype, another number of channels, or no pixels.
    """
    if isinstance(frame, np.ndarray) and frame.dtype != np.uint8:
        hint = "multiply by 255 and convert first" if frame.dtype.kind == "f" else "convert it first"
        raise FrameError(f"frame: got dtype {frame.dtype}, expected uint8 with values 0–255; {hint}")
    return packed(checked("frame", frame, "(H, W, 3) uint8, BGR, (H, W) gray or (H, W, 4) BGRA", _FRAMES))


def check_bytes(name: str, image: object, shape: Shape | None = None) -> Bytes:
    """`image`, if it is uint8 and of this shape; a plane `(H, W)` or a picture `(H, W, 3)` where no shape is given.

    Raises:
        FrameError: it is something else, or empty.
    """
    shapes = (PLANE, PICTURE) if shape is None else (shape,)
    return checked(name, image, f"{shape or '(H, W) or (H, W, 3)'} uint8, 0–255", shapes)


def check_samples(name: str, image: object, like: npt.NDArray[Any] | None = None) -> npt.NDArray[Any]:
    """`image`, if it is a plane `(H, W)` or a picture `(H, W, 3)` of 8 or 10 bits, or has dtype and shape of `like`.

    Raises:
        FrameError: it is something else, or empty.
    """
    if like is None:
        expected = "(H, W) or (H, W, 3) uint8, 0–255, or uint16, 0–1023"
        return checked(name, image, expected, (PLANE, PICTURE), (np.uint8, np.uint16))
    return checked(name, image, f"{like.shape} {like.dtype}", (like.shape,), (like.dtype.type,))


def most(dtype: np.dtype[Any]) -> int:
    """The largest sample: 255 of 8 bits, 1023 of 10."""
    return 255 if dtype == np.uint8 else 1023


def check_colour(name: str, value: object, shape: Shape, expected: str, highest: int = 255) -> npt.NDArray[Any]:
    """`value` as an array of whole numbers of 0 to `highest`, of this shape: `()` for a plane's, `(3,)` for a picture's.

    Raises:
        FrameError: it is something else.
    """
    colour = np.asarray(value)
    if colour.shape != shape or colour.dtype.kind not in "iu" or colour.min() < 0 or colour.max() > highest:
        got = _described(value) if isinstance(value, np.ndarray) else f"{value!r:.80}"
        raise FrameError(f"{name}: got {got}, expected {expected} of 0–{highest}")
    return colour


def check_out(out: object, shape: Shape, dtype: type[np.generic] = np.uint8) -> npt.NDArray[Any]:
    """The array to write to: `out`, or a new one where it is None.

    Raises:
        FrameError: another shape or dtype, or nothing that can be written to row by row.
    """
    if out is None:
        return np.empty(shape, dtype)
    array = checked("out", out, f"{shape} {np.dtype(dtype)}", (shape,), (dtype,))
    if not rows_are_packed(array) or not array.flags.writeable:
        raise FrameError("out: is read-only, flipped or skips pixels, expected packed rows that can be written to")
    return array


def check_same_size(name: str, first: object, second: object, expected: str) -> None:
    """That two planes `(H, W)` have one size; `expected` names them.

    Raises:
        FrameError: they have not.
    """
    shapes = [np.shape(one) if isinstance(one, np.ndarray) else type(one).__name__ for one in (first, second)]
    if shapes[0] != shapes[1] or not isinstance(shapes[0], tuple) or not _fits(shapes[0], (PLANE,)):
        raise FrameError(f"{name}: got {shapes[0]} and {shapes[1]}, expected two {expected} of one size")


def rows_are_packed(array: npt.NDArray[Any]) -> bool:
    """Each row without gaps and in order, the rows one below the other: what OpenCV takes without a copy."""
    pixel = array.strides[-1] * (array.shape[2] if array.ndim == 3 else 1)
    return (
        array.strides[-1] == array.itemsize and array.strides[1] == pixel and array.strides[0] >= pixel * len(array[0])
    )


def packed(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The array itself, or a copy where its rows are not packed."""
    return array if rows_are_packed(array) else np.ascontiguousarray(array)


def within_unit(alpha: Alpha, highest: np.float32 = _ONE) -> Alpha:
    """The rule: what is not above 0 → 0, above `highest` → that; any shape and strides → a new array in C order."""
    inside = np.minimum(alpha, highest, order="C")
    bits = inside.view(np.int32)  # times 0 they are 0, where NaN times 0 were NaN
    np.multiply(bits, (alpha > _ZERO).view(np.uint8), out=bits)
    return inside


def as_probability(coarse: object) -> Alpha:
    """The mask times 256/255, within 0–1: a new `(h, w) float32`.

    An 8-bit sigmoid has steps of 1/256 and calls its most certain pixels 255/256; times 256/255 its steps are those of a
    byte, and the whole person is 1. Without, a shimmer of the background comes through all of it.

    Raises:
        FrameError: not `(h, w) float32` with at least one pixel.
    """
    expected = "(h, w) float32, 0–1, as Segmenter.coarse gives it"
    mask = within_unit(checked("coarse", coarse, expected, dtypes=(np.float32,)), highest=_MOST_CERTAIN)
    np.multiply(mask, _BYTE_STEPS, out=mask)
    return mask


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
    out, below = np.empty((height, width), np.uint8), np.empty((rows, width), np.float32)
    for top in range(0, height, rows):
        strip = slice(top, min(height, top + rows))
        _strip_bytes(np.asarray(alpha[strip], np.float32), below[: strip.stop - top], out[strip])
    return out


def _strip_bytes(alpha: Alpha, below: Alpha, out: Bytes) -> None:
    cv2.threshold(alpha, 1, 0, cv2.THRESH_TRUNC, dst=below)
    cv2.convertScaleAbs(below, dst=out, alpha=255)
    # the rule on bytes, which is half as dear: NaN has become some byte, and what is below 0 its absolute value
    np.multiply(out, (alpha > _ZERO).view(np.uint8), out=out)
    _, certain = cv2.threshold(out, 253, 255, cv2.THRESH_BINARY)
    cv2.bitwise_or(out, certain, dst=out)


def _fits(shape: Shape, shapes: Sequence[Shape]) -> bool:
    return 0 not in shape and any(
        len(shape) == len(wanted) and all(want in (-1, have) for have, want in zip(shape, wanted, strict=True))
        for wanted in shapes
    )


def _described(array: npt.NDArray[Any]) -> str:
    native = array.dtype.newbyteorder("=")
    order = "" if array.dtype.isnative else f" with its bytes in the other order (.astype({native.name!r}) turns them)"
    return f"{array.shape} {native}{order}"
