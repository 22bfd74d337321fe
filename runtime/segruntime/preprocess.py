"""Frame → input tensor. The only preprocessing of the project: the exporter calibrates and compares through it as well."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segruntime.arrays import Bytes, check_frame
from segruntime.model_file.contract import InputSpec
from segruntime.resize import BYTE_BILINEAR as BYTE_BILINEAR
from segruntime.resize import resized

_TO_RGB = {1: cv2.COLOR_GRAY2RGB, 3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGB}
_TO_BGR = {1: cv2.COLOR_GRAY2BGR, 4: cv2.COLOR_BGRA2BGR}

Frame = Bytes
Region = tuple[int, int, int, int]


def fit_region(spec: InputSpec, height: int, width: int) -> Region:
    """Where a frame lies in the tensor: left, top, width, height in pixels. `stretch` fills it, `letterbox` centres."""
    if spec.resize == "stretch":
        return 0, 0, spec.width, spec.height
    scale = min(spec.width / width, spec.height / height)
    w = min(spec.width, max(1, round(width * scale)))
    h = min(spec.height, max(1, round(height * scale)))
    return (spec.width - w) // 2, (spec.height - h) // 2, w, h


def byte_table(spec: InputSpec) -> npt.NDArray[Any]:
    """What each byte becomes in the tensor: `(3, 256)` in the tensor's dtype, one row a channel in the order of `color`.

    `real = low + b / 255 * (high - low)`, then `(real - mean) / std`, then for integers `round(real / scale) + zero_point`.
    """
    low, high = spec.value_range
    mean, std = np.array(spec.mean or (0, 0, 0)), np.array(spec.std or (1, 1, 1))
    real = low + np.arange(256) / 255 * (high - low)
    real = (real[None] - mean[:, None]) / std[:, None]
    if spec.scale is None or spec.zero_point is None:
        return np.ascontiguousarray(real, dtype=np.float32)
    info = np.iinfo(spec.dtype)
    quantized = np.rint(real / spec.scale) + spec.zero_point
    return np.ascontiguousarray(np.clip(quantized, info.min, info.max), dtype=spec.dtype)


def _changes_nothing(table: npt.NDArray[Any]) -> bool:
    return table.dtype == np.uint8 and bool((table == np.arange(256)).all())


class Preprocessor:
    """Resize, colour order and scaling for one contract; its buffers are kept from frame to frame."""

    def __init__(self, spec: InputSpec) -> None:
        self.spec = spec
        self.tensor = np.zeros(spec.shape, spec.dtype)
        self._table = byte_table(spec)
        # a table that changes nothing would cost 0.1 ms for 256x256
        self._holds_bytes = spec.layout == "NHWC" and _changes_nothing(self._table)
        self._canvas = self.tensor[0] if self._holds_bytes else np.zeros((spec.height, spec.width, 3), np.uint8)
        self._planes = [np.zeros((spec.height, spec.width), np.uint8) for _ in range(3)]
        self._interleaved_table = np.ascontiguousarray(self._table.T[None])
        self._region: Region | None = None
        self._in_color: Frame | None = None

    def __call__(self, frame: Frame) -> npt.NDArray[Any]:
        """`(H, W[, 1|3|4]) uint8, BGR` → the input tensor as the contract says; valid until the next call.

        Raises:
            FrameError: see `arrays.check_frame`.
        """
        frame = check_frame(frame)
        self._fill_canvas(frame)
        if self._holds_bytes:
            return self.tensor
        if self.spec.layout == "NHWC":
            cv2.LUT(self._canvas, self._interleaved_table, dst=self.tensor[0])
        else:
            cv2.split(self._canvas, mv=self._planes)
            for plane, table, target in zip(self._planes, self._table, self.tensor[0], strict=True):
                cv2.LUT(plane, table[None], dst=target)
        return self.tensor

    def _fill_canvas(self, frame: Frame) -> None:
        spec, (height, width) = self.spec, frame.shape[:2]
        region = fit_region(spec, height, width)
        if region != self._region:
            self._canvas[:] = 0
            self._region = region
        left, top, w, h = region
        target = self._canvas[top : top + h, left : left + w]
        channels = frame.shape[2] if frame.ndim == 3 else 1
        code = (_TO_RGB if spec.color == "rgb" else _TO_BGR).get(channels)
        if channels != 3 and code is not None:
            # before the resize, whose rounding may depend on the channels: OpenCV 5 has such a one on aarch64
            self._in_color = np.asarray(cv2.cvtColor(frame, code, dst=self._in_color), np.uint8)
            frame, code = self._in_color, None
        resized(frame, (h, w), spec.interpolation, target)
        if code is not None:
            cv2.cvtColor(target, code, dst=target)
