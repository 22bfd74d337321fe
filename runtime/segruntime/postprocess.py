"""Output tensor → soft alpha at the size of the frame."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segruntime.contract import OutputSpec
from segruntime.errors import FrameError
from segruntime.preprocess import Region

Alpha = npt.NDArray[np.float32]


class Postprocessor:
    """Dequantization, the person's channel, and upsampling, for one contract."""

    def __init__(self, spec: OutputSpec) -> None:
        self.spec = spec
        self._table = _dequantization_table(spec)

    def probability(self, output: npt.NDArray[Any]) -> Alpha:
        """The output tensor → person probability at the network's own size, `(h, w) float32, 0–1`."""
        spec = self.spec
        planes = output[0] if spec.layout == "NCHW" else np.moveaxis(output[0], -1, 0)
        if spec.meaning == "classes":
            return np.asarray(planes[0] == spec.person_channel, np.float32)
        if spec.meaning == "logits" and spec.channels > 1:
            return _softmax_channel(np.stack([self._real(plane) for plane in planes]), spec.person_channel)
        real = self._real(planes[spec.person_channel])
        if spec.meaning == "logits":
            real = _sigmoid(real)
        return np.clip(real, 0, 1)

    def __call__(
        self, output: npt.NDArray[Any], region: Region, size: tuple[int, int], out: Alpha | None = None
    ) -> Alpha:
        """The output tensor → alpha `(H, W) float32, 0–1` for `size = (H, W)`.

        `region`: where the frame lies in the output tensor (left, top, width, height in its pixels). `out` is written to
        and returned where given.

        Raises:
            FrameError: `out` has another shape or dtype.
        """
        height, width = size
        if out is not None:
            _check_out(out, size)
        left, top, w, h = region
        map_ = np.ascontiguousarray(self.probability(output)[top : top + h, left : left + w])
        return np.asarray(cv2.resize(map_, (width, height), dst=out, interpolation=cv2.INTER_LINEAR), np.float32)

    def _real(self, plane: npt.NDArray[Any]) -> Alpha:
        if self.spec.dtype == "int16":
            return _dequantized(plane, self.spec)
        if self._table is None:
            return np.ascontiguousarray(plane, dtype=np.float32)
        bytes_ = np.ascontiguousarray(plane).view(np.uint8)
        return np.asarray(cv2.LUT(bytes_, self._table), dtype=np.float32)


def _check_out(out: object, size: tuple[int, int]) -> None:
    if not isinstance(out, np.ndarray):
        raise FrameError(f"out: got {type(out).__name__}, expected a numpy array {size} float32")
    if out.shape != size or out.dtype != np.float32 or not out.flags.c_contiguous or not out.flags.writeable:
        raise FrameError(f"out: got {out.shape} {out.dtype}, expected {size} float32, C-contiguous and writable")


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
    return np.asarray(0.5 * (1 + np.tanh(0.5 * x)), np.float32)


def _softmax_channel(logits: Alpha, channel: int) -> Alpha:
    shifted = np.exp(logits - logits.max(axis=0))
    return np.asarray(shifted[channel] / shifted.sum(axis=0), np.float32)
