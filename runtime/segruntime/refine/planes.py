"""What goes in and out of the chain, checked: the network's mask, the frame's luma, the alpha."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from segruntime.errors import FrameError
from segruntime.postprocess import Alpha

Plane = npt.NDArray[np.uint8]
_BYTE_STEPS = np.float32(256 / 255)


def as_probability(coarse: object) -> Alpha:
    """The mask times 256/255, everything outside 0–1 set to the nearer end and NaN to 0: a new `(h, w) float32, 0–1`.

    An 8-bit sigmoid has steps of 1/256 and calls its most certain pixels 255/256; times 256/255 its steps are those of a
    byte, and the whole person is 1. Without, a shimmer of the background comes through all of it.

    Raises:
        FrameError: not `(h, w) float32` with at least one pixel.
    """
    if not isinstance(coarse, np.ndarray) or coarse.dtype != np.float32 or coarse.ndim != 2 or coarse.size == 0:
        raise FrameError(
            f"coarse: got {_described(coarse)}, expected (h, w) float32, 0–1, as Segmenter.coarse gives it"
        )
    # fmax takes the number where the other is none; cv2.threshold and np.clip keep NaN
    positive = np.fmax(coarse, np.float32(0), order="C")
    positive *= _BYTE_STEPS
    return np.asarray(np.minimum(positive, np.float32(1), out=positive), np.float32)


def as_guide(guide: object) -> Plane:
    """The luma as OpenCV reads it, `(H, W) uint8`; copied only where its rows are not packed.

    Raises:
        FrameError: not `(H, W) uint8` with at least one pixel.
    """
    if not isinstance(guide, np.ndarray) or guide.dtype != np.uint8 or guide.ndim != 2 or guide.size == 0:
        raise FrameError(
            f"guide: got {_described(guide)}, expected (H, W) uint8: the Y plane of the frame, or the frame in gray"
        )
    return guide if _packed_rows(guide) else np.ascontiguousarray(guide)


def as_out(out: object, shape: tuple[int, ...]) -> Plane:
    """The array to write alpha to: `out`, or a new one `(H, W) uint8` where it is None.

    Raises:
        FrameError: another shape or dtype, or nothing that can be written row by row.
    """
    if out is None:
        return np.empty(shape, np.uint8)
    if not isinstance(out, np.ndarray) or out.shape != shape or out.dtype != np.uint8:
        raise FrameError(f"out: got {_described(out)}, expected {shape} uint8, the size of the guide")
    if not _packed_rows(out) or not out.flags.writeable:
        raise FrameError("out: is read-only, flipped or skips pixels, expected packed rows that can be written to")
    return out


def _packed_rows(plane: Plane) -> bool:
    return bool(plane[0].flags.c_contiguous and plane.strides[0] >= plane.shape[1])


def _described(value: object) -> str:
    return f"{value.shape} {value.dtype}" if isinstance(value, np.ndarray) else type(value).__name__
