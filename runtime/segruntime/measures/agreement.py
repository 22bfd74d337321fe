"""How well two masks agree: differences of probability, IoU, pixels that changed side, boundary F-score."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segruntime.arrays import check_same_size
from segruntime.errors import FrameError

Mask = npt.NDArray[np.bool_]
_BOUNDARY_TOLERANCE = 0.0075  # of the diagonal, as Csurka, Larlus & Perronnin 2013 take it


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Two soft masks of one picture, or many pictures summed up: all are shares or probabilities, 0–1."""

    max_difference: float
    mean_difference: float
    mask_iou: float
    changed_pixels: float
    boundary_f: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def agreement(
    reference: npt.NDArray[np.float32], other: npt.NDArray[np.float32], *, threshold: float = 0.5
) -> Agreement:
    """Compare two soft masks `(H, W) float32, 0–1`; the hard measures are taken at `threshold`.

    Raises:
        FrameError: the shapes differ.
    """
    check_same_size("masks", reference, other, "masks (H, W)")
    with np.errstate(invalid="ignore"):  # infinity less infinity
        difference = np.abs(reference.astype(np.float64) - other)
    # what is no number differs as much as two masks can, from another one too
    difference = np.nan_to_num(difference, nan=1.0, posinf=1.0)
    a, b = reference > threshold, other > threshold
    return Agreement(
        max_difference=float(difference.max()),
        mean_difference=float(difference.mean()),
        mask_iou=mask_iou(a, b),
        changed_pixels=float((a != b).mean()),
        boundary_f=boundary_f(a, b),
    )


def summed_up(each: Iterable[Agreement]) -> Agreement:
    """The largest difference of all; the mean over pictures of everything else.

    Raises:
        FrameError: there is none.
    """
    rows = [one.to_json() for one in each]
    if not rows:
        raise FrameError("masks: got none, expected at least one pair to sum up")
    mean = {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
    return Agreement(**{**mean, "max_difference": max(row["max_difference"] for row in rows)})


def mask_iou(a: Mask, b: Mask) -> float:
    """Intersection over union of two masks `(H, W) bool`; 1 where both are empty."""
    union = int(np.count_nonzero(a | b))
    return 1.0 if union == 0 else int(np.count_nonzero(a & b)) / union


def boundary_f(a: Mask, b: Mask) -> float:
    """F-score of two masks' boundaries `(H, W) bool`, matched within 0.75 % of the diagonal; 1 where both have none.

    Csurka, Larlus & Perronnin, "What is a good evaluation measure for semantic segmentation?", BMVC 2013.
    """
    edges_a, edges_b = _boundary(a), _boundary(b)
    count_a, count_b = np.count_nonzero(edges_a), np.count_nonzero(edges_b)
    if count_a == 0 or count_b == 0:
        return 1.0 if count_a == count_b else 0.0
    radius = max(1, round(_BOUNDARY_TOLERANCE * float(np.hypot(a.shape[0], a.shape[1]))))
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    precision = np.count_nonzero(edges_a & (cv2.dilate(edges_b, disk) > 0)) / count_a
    recall = np.count_nonzero(edges_b & (cv2.dilate(edges_a, disk) > 0)) / count_b
    return 0.0 if precision + recall == 0 else float(2 * precision * recall / (precision + recall))


def _boundary(mask: Mask) -> npt.NDArray[np.uint8]:
    """Pixels of the mask that touch the outside; the frame's own border is no boundary."""
    bytes_ = mask.astype(np.uint8)
    inner = cv2.erode(bytes_, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(bytes_ - inner, np.uint8)
