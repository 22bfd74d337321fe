"""How much mask a file loses, on pictures that did not calibrate it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from segexport.compare import Runner
from segexport.compare.reference import THRESHOLD
from segruntime.measures.agreement import Mask, boundary_f, mask_iou

AGAINST_FLOAT32, AGAINST_MASKS = "the float32 file's masks", "hand-made masks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A file's mean IoU and boundary F-score (0–1), what of the IoU it lost in points (0–100), its size and speed."""

    iou: float
    drop_points: float
    boundary_f: float
    size_bytes: int
    invoke_p50_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """`frames` `(H, W, 3) uint8, BGR`, the masks `(h, w) bool` that are wanted of them, and the IoU that float32 reaches."""

    frames: Sequence[npt.NDArray[np.uint8]]
    wanted: Sequence[Mask]
    base_iou: float
    against: str
    runner: Runner

    def score(self, path: Path, say: Callable[[str], None]) -> Score:
        """Run the file on every frame.

        Raises:
            ConversionError: the file does not run, or not on XNNPACK.
        """
        ran = self.runner.run(path, self.frames, say)
        masks = ran.masks > THRESHOLD
        iou = mean_iou(masks, self.wanted)
        return Score(
            iou=iou,
            drop_points=100 * (self.base_iou - iou),
            boundary_f=float(np.mean([boundary_f(a, b) for a, b in zip(masks, self.wanted, strict=True)])),
            size_bytes=path.stat().st_size,
            invoke_p50_ms=float(np.median(ran.invoke_ms)),
        )


def make_judge(
    frames: Sequence[npt.NDArray[np.uint8]],
    float32_masks: npt.NDArray[np.float32],
    truth: Sequence[Mask] | None,
    runner: Runner,
) -> Judge:
    """A judge that wants the float32 file's masks `(N, h, w) float32, 0–1`, or `truth` where there is one."""
    masks = list(float32_masks > THRESHOLD)
    if truth is None:
        return Judge(frames=frames, wanted=masks, base_iou=1.0, against=AGAINST_FLOAT32, runner=runner)
    base = mean_iou(masks, truth)
    return Judge(frames=frames, wanted=truth, base_iou=base, against=AGAINST_MASKS, runner=runner)


def mean_iou(masks: Iterable[Mask], wanted: Iterable[Mask]) -> float:
    """Of masks `(h, w) bool`, pair by pair: 0–1."""
    return float(np.mean([mask_iou(a, b) for a, b in zip(masks, wanted, strict=True)]))
