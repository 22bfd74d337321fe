"""Output tensor → soft alpha at the size of the frame."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segruntime.arrays import Alpha, check_out, within_unit
from segruntime.model_file.contract import OutputSpec
from segruntime.preprocess import Region

_LARGEST = np.float32(1e38)  # of a logit: the difference of two is still a float32


class Postprocessor:
    """Dequantization, the person's channel, and upsampling, for one contract."""

    def __init__(self, spec: OutputSpec) -> None:
        self.spec = spec
        self._table = _dequantization_table(spec)

    def probability(self, output: npt.NDArray[Any]) -> Alpha:
        """The output tensor → person probability at the network's own size, `(h, w) float32, 0–1`.

        What is no number in the output stays none, for those who compare files; in `__call__` it is background.
        """
        spec = self.spec
        planes = output[0] if spec.layout == "NCHW" else np.moveaxis(output[0], -1, 0)
        if spec.meaning == "classes":
            return np.asarray(planes[0] == spec.person_channel, np.float32)
        if spec.meaning == "logits" and spec.channels > 1:
            return _softmax_channel(np.stack([self._real(plane) for plane in planes]), spec.person_channel)
        real = self._real(planes[spec.person_channel])
        if spec.meaning == "logits":
            real = _sigmoid(real)
        return _held(real, np.float32(0), np.float32(1))

    def __call__(
        self, output: npt.NDArray[Any], region: Region, size: tuple[int, int], out: Alpha | None = None
    ) -> Alpha:
        """The output tensor → alpha `(H, W) float32, 0–1` for `size = (H, W)`; what is no number is background.

        `region`: where the frame lies in the output tensor (left, top, width, height in its pixels). `out` is written to
        and returned where given.

        Raises:
            FrameError: `out` has another shape or dtype.
        """
        out = check_out(out, size, np.float32)
        # before the resize, which would spread a NaN
        map_ = on_region(self.probability(output), region)
        return np.asarray(cv2.resize(map_, size[::-1], dst=out, interpolation=cv2.INTER_LINEAR), np.float32)

    def _real(self, plane: npt.NDArray[Any]) -> Alpha:
        if self.spec.dtype == "int16":
            return _dequantized(plane, self.spec)
        if self._table is None:
            return np.ascontiguousarray(plane, dtype=np.float32)
        bytes_ = np.ascontiguousarray(plane).view(np.uint8)
        return np.asarray(cv2.LUT(bytes_, self._table), dtype=np.float32)


def on_region(probability: Alpha, region: Region) -> Alpha:
    """What lies in the region, `(h, w) float32, 0–1`, a new array; what is no number is background."""
    left, top, w, h = region
    return within_unit(probability[top : top + h, left : left + w])


def _dequantization_table(spec: OutputSpec) -> npt.NDArray[np.float32] | None:
    """`scale * (q - zero_point)` for each of the 256 bit patterns of a byte, `(1, 256) float32`; None for other tensors."""
    if spec.scale is None or spec.zero_point is None or spec.dtype == "int16":
        return None
    stored = np.arange(256, dtype=np.uint8).view(spec.dtype).astype(np.float64)
    return np.ascontiguousarray((spec.scale * (stored - spec.zero_point))[None], dtype=np.float32)


def _dequantized(plane: npt.NDArray[Any], spec: OutputSpec) -> Alpha:
    """`scale * (q - zero_point)`, for types with too many values for a table."""
    scale, zero_point = spec.scale or 1.0, spec.zero_point or 0
    return np.asarray((plane.astype(np.float32) - np.float32(zero_point)) * np.float32(scale), np.float32)


def _sigmoid(x: Alpha) -> Alpha:
    # in float64, rounded once: numpy's float32 exp and tanh differ in the last bit from processor to processor
    decay = np.exp(-np.abs(x.astype(np.float64)))
    return np.asarray(np.where(x >= 0, 1, decay) / (1 + decay), np.float32)


def _softmax_channel(logits: Alpha, channel: int) -> Alpha:
    finite = _held(logits, -_LARGEST, _LARGEST)  # infinity less infinity would be no number
    top = finite.max(axis=0)
    # plane by plane, which stay in a core's cache
    total = sum(np.exp(plane - top, dtype=np.float64) for plane in finite)
    return np.asarray(np.exp(finite[channel] - top, dtype=np.float64) / total, np.float32)


def _held(values: Alpha, low: np.float32, high: np.float32) -> Alpha:
    """`values` within `low` and `high`; `np.minimum` and `np.maximum` give NaN where one is, on every processor."""
    with np.errstate(invalid="ignore"):
        return np.minimum(np.maximum(values, low), high)
