"""What quantized files are made from, and what they are tried on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segexport.compare import FileMasks, Runner
from segexport.console import Console
from segexport.quantize.quantizer import Quantizer
from segexport.quantize.recipe import PLAIN, Recipe
from segruntime.measures.agreement import Mask


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizeInputs:
    """What the files are made from and tried on.

    `calibration` `(N, H, W, 3) float32, RGB, 0–1`; `frames` `(H, W, 3) uint8, BGR` are other pictures, `reference` PyTorch's
    masks of them `(N, h, w) float32, 0–1`. For an accuracy budget, `max_iou_drop` are the IoU points (0–100) that int8 may
    lose, `float32` is what the float32 file gave on the frames, and `truth` their hand-made masks `(h, w) bool`.
    """

    quantizer: Quantizer
    runner: Runner
    calibration: npt.NDArray[np.float32]
    frames: Sequence[npt.NDArray[np.uint8]]
    reference: npt.NDArray[np.float32]
    float32: FileMasks | None
    truth: Sequence[Mask] | None
    console: Console
    max_iou_drop: float | None = None
    recipe: Recipe = PLAIN
