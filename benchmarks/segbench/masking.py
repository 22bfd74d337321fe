"""From a frame to the network's mask, and from that to the mask at the frame's size, as `Segmenter.alpha` does it."""

from __future__ import annotations

import cv2
import numpy as np

from segbench.errors import WrongMaskError
from segruntime import Segmenter
from segruntime.postprocess import Alpha
from segruntime.preprocess import Frame


class Masker:
    """One for each stream of frames."""

    def __init__(self, preset: str | None) -> None:
        self.preset = preset

    def soft_mask(self, frame: Frame, coarse: Alpha) -> Alpha:
        """`frame (H, W, 3) uint8, BGR` and `coarse_mask` of it → `(H, W) float32, 0–1`."""
        height, width = frame.shape[:2]
        return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)

    def reset(self) -> None:
        """The next frame has no frame before it."""


def coarse_mask(segmenter: Segmenter, frame: Frame, what: str) -> Alpha:
    """`Segmenter.coarse`, `(h, w) float32, 0–1`, without values that are no numbers; `what` names the frame.

    Raises:
        WrongMaskError: there are some.
    """
    coarse = segmenter.coarse(frame)
    if not np.isfinite(coarse).all():
        raise WrongMaskError(f"{segmenter.path}: its mask of {what} has values that are no numbers; export it again")
    return coarse
