"""Bare onnxruntime: the run alone on a tensor that is ready, and the shortest frame → mask around it."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime

from peers.serve import Frame, Job, Mask, Served, serve


class OnnxruntimeLoop:
    """For NCHW files of static size, RGB of 0–1 in, one channel of probability out."""

    def __init__(self, job: Job) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = job.threads
        self._session = onnxruntime.InferenceSession(job.model, options, providers=["CPUExecutionProvider"])
        value = self._session.get_inputs()[0]
        self._name, (self._height, self._width) = value.name, value.shape[2:]
        self._ready = self._tensor(job.background)

    def mask(self, frame: Frame) -> Mask:
        mask = self._run(self._tensor(frame))[0, 0]
        return np.asarray(cv2.resize(mask, (frame.shape[1], frame.shape[0])), np.float32)

    def invoke(self, _: Frame) -> Mask:
        return self._run(self._ready)

    def seen(self, frame: Frame) -> Frame:
        return np.asarray(cv2.resize(frame, (int(self._width), int(self._height))), np.uint8)

    def _run(self, tensor: Mask) -> Mask:
        found: Mask = self._session.run(None, {self._name: tensor})[0]
        return found

    def _tensor(self, frame: Frame) -> npt.NDArray[np.float32]:
        size = (int(self._width), int(self._height))
        return np.asarray(cv2.dnn.blobFromImage(frame, 1 / 255, size, swapRB=True), np.float32)


def load(job: Job) -> Served:
    loop = OnnxruntimeLoop(job)
    tasks = {"invoke": loop.invoke, "mask": loop.mask}
    packages = ("numpy", "onnxruntime")
    return Served(threads=job.threads, packages=packages, tasks=tasks, mask=loop.mask, seen=loop.seen)


if __name__ == "__main__":
    serve(load)
