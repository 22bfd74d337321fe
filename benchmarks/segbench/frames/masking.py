"""From a frame to the network's mask, and from that to the mask at the frame's size."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from segbench.errors import WrongMaskError
from segruntime import Segmenter
from segruntime.arrays import Alpha
from segruntime.preprocess import Frame
from segruntime.refine import Refiner


class Masker:
    """One for each stream of frames."""

    def __init__(self, preset: str | None) -> None:
        """Without a preset the mask is that of `Segmenter.alpha`.

        Raises:
            segruntime's OptionError: no preset of that name.
        """
        self.preset = preset
        self._refiner = None if preset is None else Refiner(preset)

    def soft_mask(self, coarse: Alpha, gray: npt.NDArray[np.uint8]) -> Alpha:
        """`coarse_mask` of a frame and its luma `(H, W) uint8` → `(H, W) float32, 0–1`."""
        if self._refiner is not None:
            refined: Alpha = self._refiner(coarse, gray).astype(np.float32) / np.float32(255)
            return refined
        height, width = gray.shape
        return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)

    def reset(self) -> None:
        """The next frame has no frame before it."""
        if self._refiner is not None:
            self._refiner.reset()


def luma(frame: Frame) -> npt.NDArray[np.uint8]:
    """`(H, W, 3) uint8, BGR` → `(H, W) uint8`."""
    return np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), np.uint8)


def coarse_mask(segmenter: Segmenter, frame: Frame, what: str) -> Alpha:
    """`Segmenter.coarse`, `(h, w) float32, 0–1`, without values that are no numbers; `what` names the frame.

    Raises:
        WrongMaskError: there are some.
    """
    mask = segmenter.network_mask(frame)
    if not np.isfinite(mask).all():
        raise WrongMaskError(f"{segmenter.path}: its mask of {what} has values that are no numbers; export it again")
    return segmenter.without_border(mask, frame.shape[:2])
