"""What one thread of the pool works with: a segmenter of its own, and the memory for a frame's alpha."""

from __future__ import annotations

import cv2
import numpy as np

from segruntime.arrays import Alpha, Bytes, alpha_bytes
from segruntime.preprocess import Frame
from segruntime.refine import Refiner
from segruntime.segmenter import Segmenter

_MOST_KEPT_PIXELS = 4_000_000  # one large picture is no reason to hold its size for ever


class Worker:
    """One thread at a time; keeps nothing of a picture but the memory."""

    def __init__(self, segmenter: Segmenter) -> None:
        self._segmenter = segmenter
        self._kept = np.empty((0, 0), np.float32)

    def alpha(self, frame: Frame, preset: str | None) -> Bytes:
        """A single picture, `(H, W, 3) uint8, BGR` → `(H, W) uint8, 0–255`.

        Without a preset: `Segmenter.alpha`, as bytes.
        """
        if preset is not None:
            return self.refined(frame, Refiner(preset))
        return alpha_bytes(self._segmenter.alpha(frame, self._buffer(*frame.shape[:2])))

    def refined(self, frame: Frame, refiner: Refiner) -> Bytes:
        """The next frame of a stream, through the stream's own refiner: as `alpha`."""
        gray = np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), np.uint8)
        return refiner(self._segmenter.coarse(frame), gray)

    def _buffer(self, height: int, width: int) -> Alpha:
        if self._kept.shape == (height, width):
            return self._kept
        buffer = np.empty((height, width), np.float32)
        if buffer.size <= _MOST_KEPT_PIXELS:
            self._kept = buffer
        return buffer
