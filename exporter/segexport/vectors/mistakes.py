"""Faults that ports have: what each would make of a frame, so that a check can name the one it sees.

Every one of these was either met in a port or is a default of a common picture library. `docs/porting.md` has their numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from segruntime.model_file.contract import InputSpec
from segruntime.preprocess import Frame, Preprocessor, fit_region

Tensor = npt.NDArray[Any]
Mistake = Callable[[Frame, InputSpec], Tensor]
Place = Callable[[Tensor, int, int], Tensor]

_MUCH_NEARER = 0.25


def _right(frame: Frame, spec: InputSpec) -> Tensor:
    tensor: Tensor = Preprocessor(spec)(frame).copy()
    return tensor


def _swapped(frame: Frame, spec: InputSpec) -> Tensor:
    return _right(np.ascontiguousarray(frame[:, :, ::-1]), spec)


def _other_fit(frame: Frame, spec: InputSpec) -> Tensor:
    return _right(frame, replace(spec, resize="letterbox" if spec.resize == "stretch" else "stretch"))


def _nearest(frame: Frame, spec: InputSpec) -> Tensor:
    return _right(frame, replace(spec, interpolation="nearest"))


def _area(frame: Frame, spec: InputSpec) -> Tensor:
    return _right(frame, replace(spec, interpolation="area"))


def _corners(frame: Frame, spec: InputSpec) -> Tensor:
    """First pixel on first, last on last."""
    return _sampled(frame, spec, lambda i, source, target: i * (source - 1) / max(1, target - 1))


def _no_half_pixel(frame: Frame, spec: InputSpec) -> Tensor:
    """`x * W / w`, without the half pixels: the picture moves up and left."""
    return _sampled(frame, spec, lambda i, source, target: i * source / target)


def _other_rounding(frame: Frame, spec: InputSpec) -> Tensor:
    """Right positions, weights in floating point: what is left between two honest bilinear resizes."""
    return _sampled(frame, spec, lambda i, source, target: (i + 0.5) * source / target - 0.5)


def _unscaled(frame: Frame, spec: InputSpec) -> Tensor:
    """Bytes as they are, where the tensor wants real numbers."""
    return _right(frame, replace(spec, value_range=(0.0, 255.0), mean=None, std=None))


def _imagenet(frame: Frame, spec: InputSpec) -> Tensor:
    """Mean and standard deviation, which are inside the network already."""
    return _right(frame, replace(spec, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)))


def _other_sign(frame: Frame, spec: InputSpec) -> Tensor:
    """Signed for unsigned bytes or the other way: each is 128 off."""
    return np.asarray(_right(frame, spec).view(np.uint8) ^ np.uint8(128)).view(spec.dtype)


INPUT_MISTAKES: dict[str, Mistake] = {
    "red and blue are swapped": _swapped,
    "letterbox for stretch, or stretch for letterbox": _other_fit,
    "nearest neighbour instead of bilinear": _nearest,
    "area averaging instead of bilinear": _area,
    "corners aligned in the resize": _corners,
    "no half-pixel centres in the resize": _no_half_pixel,
    "another rounding in the resize": _other_rounding,
}
_FLOAT_MISTAKES: dict[str, Mistake] = {
    "0 to 255 instead of the contract's value_range": _unscaled,
    "mean and std applied although the contract names none": _imagenet,
}
_BYTE_MISTAKES: dict[str, Mistake] = {"wrong zero point: each byte is 128 off": _other_sign}


def sample_bilinear(plane: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """`plane (H, W[, C])` in floating point at columns `x (w,)` and rows `y (h,)`, the border repeated → `(h, w[, C])`."""
    return np.asarray(_along(_along(plane, y, 0), x, 1))


def mistakes_for(spec: InputSpec) -> dict[str, Mistake]:
    """Those that a network with this input can meet, by name."""
    if spec.dtype == "float32":
        return INPUT_MISTAKES | _FLOAT_MISTAKES
    return INPUT_MISTAKES | (_BYTE_MISTAKES if spec.dtype in ("int8", "uint8") else {})


def name_mistake(found: Tensor, frame: Frame, spec: InputSpec) -> str | None:
    """The mistake whose input tensor is much nearer to `found` than the right one is; None where none is.

    Args:
        found: the port's input tensor, in the contract's shape and dtype.
        frame: `(H, W, 3) uint8, BGR`.
    """
    told = {name: _distance(mistake(frame, spec), found) for name, mistake in mistakes_for(spec).items()}
    name = min(told, key=lambda one: told[one])
    return name if told[name] <= _MUCH_NEARER * _distance(_right(frame, spec), found) else None


def _distance(a: Tensor, b: Tensor) -> float:
    return float(np.abs(a.astype(np.float64) - b.astype(np.float64)).mean())


def _along(plane: Tensor, position: Tensor, axis: int) -> Tensor:
    position = np.clip(position, 0, plane.shape[axis] - 1)
    before = np.floor(position).astype(np.intp)
    after = np.minimum(before + 1, plane.shape[axis] - 1)
    weight = (position - before).reshape((-1,) + (1,) * (plane.ndim - 1 - axis))
    return np.asarray(np.take(plane, before, axis) * (1 - weight) + np.take(plane, after, axis) * weight)


def _sampled(frame: Frame, spec: InputSpec, place: Place) -> Tensor:
    """Bilinear with positions in the frame from `place(index, source, target)`; then all else as it should be."""
    height, width = frame.shape[:2]
    _, _, w, h = fit_region(spec, height, width)
    real = sample_bilinear(frame.astype(np.float64), place(np.arange(w), width, w), place(np.arange(h), height, h))
    return _right(np.asarray(np.rint(real), np.uint8), spec)
