"""Frame → alpha → composite: in one call, as a program has it, and stage by stage."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import numpy.typing as npt

import segruntime
from segbench.frames.masking import luma
from segruntime import Segmenter
from segruntime.arrays import Alpha
from segruntime.preprocess import Frame
from segruntime.refine import Refiner


class Chain:
    """One segmenter with one preset, over one background `(H, W, 3) uint8` of the frames' size."""

    def __init__(self, segmenter: Segmenter, preset: str | None, background: Frame) -> None:
        self.segmenter = segmenter
        self.background = background
        self._refiner = None if preset is None else Refiner(preset)

    def alpha(self, frame: Frame) -> Alpha | npt.NDArray[np.uint8]:
        """`(H, W, 3) uint8, BGR` → `(H, W)`: float32, 0–1, or with a preset uint8, 0–255."""
        if self._refiner is None:
            return self.segmenter.alpha(frame)
        return self._refiner(self.segmenter.coarse(frame), luma(frame))

    def whole(self, frame: Frame) -> Frame:
        """Frame → the picture before the other background."""
        return segruntime.composite(frame, self.alpha(frame), self.background)

    def seconds_by_stage(self, frame: Frame) -> dict[str, float]:
        """One pass, with the clock read between the stages: each starts when the one before it ends."""
        clock, segmenter = time.perf_counter, self.segmenter
        marks = [clock()]
        tensor = segmenter.preprocess(frame)
        marks.append(clock())
        output = segmenter.invoke(tensor)
        marks.append(clock())
        names: tuple[str, ...] = ("preprocess", "invoke", "postprocess", "composite")
        alpha: Any
        if self._refiner is None:
            alpha = segmenter.postprocess(output, frame.shape[:2])
            marks.append(clock())
        else:
            names = ("preprocess", "invoke", "postprocess", "refine", "composite")
            coarse = self._coarse(output, frame)
            marks.append(clock())
            alpha = self._refiner(coarse, luma(frame))
            marks.append(clock())
        segruntime.composite(frame, alpha, self.background)
        marks.append(clock())
        return {name: end - start for name, start, end in zip(names, marks, marks[1:], strict=False)}

    def _coarse(self, output: npt.NDArray[Any], frame: Frame) -> Alpha:
        """Output tensor → what `Segmenter.coarse` gives."""
        return self.segmenter.without_border(self.segmenter.probability(output), frame.shape[:2])
