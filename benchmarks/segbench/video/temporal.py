"""How the masks of two model files go together over a clip: frame by frame, and in how they change between frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segruntime.arrays import Alpha
from segruntime.measures.agreement import mask_iou


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementOverTime:
    """Means over the frames and over the pairs of frames; `dtssd` and `change` are None for a single frame."""

    iou_mean: float
    iou_min: float
    iou_min_frame: int
    mean_difference: float
    change: float | None
    dtssd: float | None


class TemporalAgreement:
    """Fed with the masks of both, frame by frame.

    `change` of a pair of frames is how much more or less a mask changes than its reference: the changes of alpha from
    frame to frame are subtracted pixel by pixel. Its root mean square, averaged over the clip, is the dtSSD of Erofeev et
    al., "Perceptually motivated benchmark for video matting", BMVC 2015, with the reference as the true alpha, divided by
    the number of pixels as in later work on video matting. An offset that stays does not count; it is in the IoU.
    """

    def __init__(self, threshold: float, reference_threshold: float) -> None:
        self.ious: list[float] = []
        self._thresholds = threshold, reference_threshold
        self._differences: list[float] = []
        self._changes: list[float] = []
        self._root_mean_squares: list[float] = []
        self._before: Alpha | None = None

    def add(self, alpha: Alpha, reference: Alpha) -> None:
        """Two masks of one frame, `(H, W) float32, 0–1`."""
        difference = alpha - reference
        self.ious.append(mask_iou(alpha > self._thresholds[0], reference > self._thresholds[1]))
        self._differences.append(float(np.abs(difference).mean(dtype=np.float64)))
        # (a1 - a0) - (r1 - r0) = (a1 - r1) - (a0 - r0)
        if self._before is not None and self._before.shape == difference.shape:
            change = difference - self._before
            self._changes.append(float(np.abs(change).mean(dtype=np.float64)))
            self._root_mean_squares.append(float(np.sqrt(np.square(change).mean(dtype=np.float64))))
        self._before = difference

    def found(self) -> AgreementOverTime:
        """Of at least one frame."""
        worst = int(np.argmin(self.ious))
        return AgreementOverTime(
            iou_mean=float(np.mean(self.ious)),
            iou_min=self.ious[worst],
            iou_min_frame=worst,
            mean_difference=float(np.mean(self._differences)),
            change=float(np.mean(self._changes)) if self._changes else None,
            dtssd=float(np.mean(self._root_mean_squares)) if self._root_mean_squares else None,
        )
