"""Before anything is timed: does a peer give segruntime's mask, and if not, is it the network or what it is shown?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from peers.errors import PeerError
from segbench.readers import amount, whole
from segruntime.measures.agreement import mask_iou
from segruntime.strict_json import Fields

Masks = npt.NDArray[np.float32]
Frames = npt.NDArray[np.uint8]
Verdict = Literal["same mask", "same mask of another resize", "another mask"]

SAME_IOU = 0.99
SAME_PICTURE_IOU = 0.98  # what a peer does to its mask afterwards (stretching, enlarging) is still in it
THRESHOLD = 0.5
# the alpha rounded, the most certain step taken for 1, and scaled up in bytes: 2; the blend rounded or cut off: 1
LARGEST_PICTURE_DIFFERENCE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskAgreement:
    """Of the hard masks: mean and lowest IoU; of the soft ones: the largest and the mean absolute difference."""

    iou: float
    lowest_iou: float
    largest_difference: float
    mean_difference: float

    @classmethod
    def from_json(cls, f: Fields) -> MaskAgreement:
        return cls(**{one.name: amount(f)(one.name) for one in fields(cls)})


@dataclass(frozen=True, slots=True, kw_only=True)
class MasksFound:
    """How a peer's masks agree with segruntime's, of so many frames; where it tells what its network sees, also with those of
    just that. `picture_differences`: by task, from the exact blend with its own mask, of 255.
    """

    verdict: str
    frames: int
    as_given: MaskAgreement
    of_same_picture: MaskAgreement | None
    picture_differences: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def from_json(cls, f: Fields) -> MasksFound:
        same = f.nullable("of_same_picture", f.part)
        return cls(
            verdict=f.string("verdict"),
            frames=whole(f)("frames"),
            as_given=MaskAgreement.from_json(f.part("as_given")),
            of_same_picture=None if same is None else MaskAgreement.from_json(same),
            picture_differences=f.optional("picture_differences", f.any_object) or {},
        )


def agreement(a: Masks, b: Masks) -> MaskAgreement:
    """`(n, H, W) float32, 0–1`, n at least 1."""
    ious = [mask_iou(one > THRESHOLD, other > THRESHOLD) for one, other in zip(a, b, strict=True)]
    difference = np.abs(a - b)
    return MaskAgreement(
        iou=float(np.mean(ious)),
        lowest_iou=float(min(ious)),
        largest_difference=float(difference.max()),
        mean_difference=float(difference.mean()),
    )


def describe(masks: Masks, ours: Masks, ours_of_seen: Masks | None) -> MasksFound:
    """`ours_of_seen`: segruntime's masks of what the peer's network sees, where it tells."""
    as_given = agreement(masks, ours)
    same = None if ours_of_seen is None else agreement(masks, ours_of_seen)
    return MasksFound(verdict=_verdict(as_given, same), frames=len(masks), as_given=as_given, of_same_picture=same)


def check_masks(name: str, masks: Masks, count: int, size: tuple[int, int]) -> None:
    """`(count, H, W)`, finite, within 0..1, and not the same everywhere in all of them.

    Raises:
        PeerError: what is wrong.
    """
    if masks.shape != (count, *size):
        raise PeerError(f"{name}: gave masks of shape {masks.shape}, expected {(count, *size)}")
    if not np.isfinite(masks).all():
        raise PeerError(f"{name}: gave masks with values that are no numbers")
    low, high = float(masks.min()), float(masks.max())
    if low < 0 or high > 1 + 1e-6 or low == high:
        raise PeerError(f"{name}: gave masks with values {low:g} to {high:g}, expected a person within 0 to 1")


def check_pictures(name: str, task: str, pictures: npt.NDArray[Any], frames: Frames, masks: Masks, under: Any) -> int:
    """How far the pictures are from the frames over `under`, blended exactly with the peer's own masks; of 255.

    A cutout is checked against its mask only: what it holds where nothing is opaque does not matter.

    Raises:
        PeerError: further than rounding explains.
    """
    if task == "cutout":
        found, expected = pictures[..., 3:], 255 * masks[..., None]
    else:
        weight = masks[..., None]
        found, expected = pictures, weight * frames + (1 - weight) * np.asarray(under)
    largest = int(np.ceil(np.abs(found - expected).max()))
    if largest > LARGEST_PICTURE_DIFFERENCE:
        raise PeerError(
            f"{name}: its {task} is up to {largest} of 255 away from the blend with its own mask, expected at most "
            f"{LARGEST_PICTURE_DIFFERENCE}"
        )
    return largest


def enlarged(masks: Masks, size: tuple[int, int]) -> Masks:
    """`(n, h, w)` → `(n, H, W)` for `size = (H, W)`, bilinear."""
    return np.stack([cv2.resize(mask, size[::-1], interpolation=cv2.INTER_LINEAR) for mask in masks])


def _verdict(as_given: MaskAgreement, same: MaskAgreement | None) -> Verdict:
    if as_given.iou >= SAME_IOU:
        return "same mask"
    return "same mask of another resize" if same is not None and same.iou >= SAME_PICTURE_IOU else "another mask"
