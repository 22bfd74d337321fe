"""Bare LiteRT: the invoke alone on a tensor that is ready, and the shortest frame → mask around it."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter

from peers.serve import Frame, Job, Mask, Served, serve


class LitertLoop:
    """For NHWC files whose input is RGB: float32 of 0–1, or int8 with scale 1/255 and zero point -128."""

    def __init__(self, job: Job) -> None:
        self._interpreter = Interpreter(model_path=job.model, num_threads=job.threads)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]
        self._output = self._interpreter.get_output_details()[0]
        self._interpreter.set_tensor(self._input["index"], self._tensor(job.background))

    def mask(self, frame: Frame) -> Mask:
        self._interpreter.set_tensor(self._input["index"], self._tensor(frame))
        self._interpreter.invoke()
        found = self._interpreter.get_tensor(self._output["index"])[0, ..., 0]
        scale, zero_point = self._output["quantization"]
        mask = found if scale == 0 else (found.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)
        return np.asarray(cv2.resize(mask, (frame.shape[1], frame.shape[0])), np.float32)

    def invoke(self, _: Frame) -> None:
        self._interpreter.invoke()

    def seen(self, frame: Frame) -> Frame:
        _, height, width, _ = self._input["shape"]
        return np.asarray(cv2.resize(frame, (int(width), int(height))), np.uint8)

    def _tensor(self, frame: Frame) -> npt.NDArray[Any]:
        small = cv2.cvtColor(self.seen(frame), cv2.COLOR_BGR2RGB)
        if self._input["dtype"] == np.uint8:
            return small[None]
        if self._input["dtype"] == np.int8:
            return np.bitwise_xor(small, 0x80).view(np.int8)[None]  # a byte less 128
        return np.asarray(cv2.multiply(small, np.full(4, 1 / 255), dtype=cv2.CV_32F), np.float32)[None]


def load(job: Job) -> Served:
    loop = LitertLoop(job)
    tasks = {"invoke": loop.invoke, "mask": loop.mask}
    packages = ("numpy", "ai-edge-litert")
    return Served(threads=job.threads, packages=packages, tasks=tasks, mask=loop.mask, seen=loop.seen)


if __name__ == "__main__":
    serve(load)
