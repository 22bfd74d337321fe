"""What people write around a .tflite: numpy for colours, scaling and blending. The usual loop, not a bad one."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Frame = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.float32]


class NumpyLoop:
    """Around an interpreter of LiteRT, TFLite or TensorFlow, whose tensors are allocated; quantized ends or float ones.

    `resize`: OpenCV's interpolation; another one than people take is for those who compare the composites value by value.
    """

    def __init__(self, interpreter: Any, resize: int = cv2.INTER_LINEAR) -> None:
        self._interpreter = interpreter
        self._resize = resize
        self._input = interpreter.get_input_details()[0]
        self._output = interpreter.get_output_details()[0]

    def mask(self, frame: Frame) -> Mask:
        """`(H, W, 3) uint8, BGR` → `(H, W) float32, 0–1`."""
        small = self.seen(frame[..., ::-1])
        tensor = self._quantize(small.astype(np.float32) / np.float32(255))[None]
        self._interpreter.set_tensor(self._input["index"], tensor)
        self._interpreter.invoke()
        mask = self._dequantize(self._interpreter.get_tensor(self._output["index"])[0, ..., 0])
        return np.asarray(cv2.resize(mask, (frame.shape[1], frame.shape[0])), np.float32)

    def seen(self, frame: Frame) -> Frame:
        """The small picture that the network gets, its channels in the frame's order."""
        _, height, width, _ = self._input["shape"]
        return np.asarray(cv2.resize(frame, (int(width), int(height)), interpolation=self._resize), np.uint8)

    def __call__(self, frame: Frame, background: Frame) -> Frame:
        """Frame → composite, `(H, W, 3) uint8`."""
        return numpy_composite(frame, self.mask(frame), background)

    def _quantize(self, x: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
        scale, zero_point = self._input["quantization"]
        return x if scale == 0 else np.round(x / scale + zero_point).astype(self._input["dtype"])

    def _dequantize(self, y: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        scale, zero_point = self._output["quantization"]
        return y if scale == 0 else (y.astype(np.float32) - zero_point) * scale


def numpy_composite(frame: Frame, mask: Mask, background: Frame) -> Frame:
    """`mask` `(H, W) float32, 0–1`; fractions are cut off, as `astype` does it."""
    alpha = mask[..., None]
    picture: Frame = (alpha * frame.astype(np.float32) + (1 - alpha) * background).astype(np.uint8)
    return picture
